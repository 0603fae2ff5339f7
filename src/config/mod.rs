//! The user's settings: what `proxylint.toml` and `--config KEY=VALUE` say.

mod error;
mod file;
mod find;
mod own;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

pub use error::{ConfigError, nearest};
pub use find::find;

use crate::facts::Declared;
use crate::gateway::{NotAVersion, Server, Version};
use crate::rules::{Rule, builtin};
use file::{File, Value};

/// What a rule's parameters are set to, by the rule's name and the parameter's.
pub type Parameters = BTreeMap<String, BTreeMap<String, toml::Value>>;

/// The settings for one part of the tree.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file they come from.
    pub path: Option<PathBuf>,
    /// The version of nginx to judge for.
    pub nginx_version: Option<Version>,
    /// The version of Apache httpd to judge for.
    pub apache_version: Option<Version>,
    /// Where absolute paths of the configuration lie in the tree: the first prefix that fits is replaced.
    pub path_map: Vec<(PathBuf, PathBuf)>,
    /// What directories are searched without; patterns as in a `.gitignore`, relative to the file's directory.
    pub exclude: Gitignore,
    /// The rules to apply; empty: all.
    pub select: Vec<String>,
    /// The rules not to apply.
    pub ignore: Vec<String>,
    /// What rules' parameters are set to.
    pub parameters: Parameters,
    /// The user's own rules.
    pub own: Vec<Arc<Rule>>,
    /// What is declared about the world.
    pub declared: Declared,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: None,
            nginx_version: None,
            apache_version: None,
            path_map: Vec::new(),
            exclude: Gitignore::empty(),
            select: Vec::new(),
            ignore: Vec::new(),
            parameters: Parameters::new(),
            own: Vec::new(),
            declared: Declared::default(),
        }
    }
}

impl Settings {
    /// Reads the settings file `path`.
    ///
    /// # Errors
    /// Where it cannot be read, is not TOML, or sets what there is not.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::unreadable(path, &error))?;
        let mut settings = Self { path: Some(path.to_path_buf()), ..Self::default() };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let source = error::Text { name: path.display().to_string(), text };
        settings.apply(&source, directory)?;
        Ok(settings)
    }

    /// Sets what `KEY=VALUE` on the command line says; a value that is not TOML is taken as a text.
    ///
    /// # Errors
    /// Where there is no such key or the value is not one for it.
    pub fn set(&mut self, key_value: &str) -> Result<(), ConfigError> {
        let text = match key_value.split_once('=') {
            // `nginx.version=1.24` is a version, not a number with a fraction.
            Some((key, value))
                if value.trim().parse::<f64>().is_ok_and(|_| value.contains('.'))
                    || toml::from_str::<toml::Table>(key_value).is_err() =>
            {
                format!("{key}={}", toml::Value::String(value.trim().to_owned()))
            }
            _ => key_value.to_owned(),
        };
        self.apply(&error::Text { name: "--config".to_owned(), text }, Path::new("."))
    }

    /// The version to judge for.
    #[must_use]
    pub fn version(&self, server: Server) -> Option<Version> {
        match server {
            Server::Nginx => self.nginx_version,
            Server::Apache => self.apache_version,
        }
    }

    /// The rules there are: those built in, and the user's own.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> + Clone {
        builtin().iter().chain(self.own.iter().map(Arc::as_ref))
    }

    /// Whether the rule `name` is to be applied.
    #[must_use]
    pub fn applies(&self, name: &str) -> bool {
        let holds = |list: &[String]| list.iter().any(|rule| rule == name);
        (self.select.is_empty() || holds(&self.select)) && !holds(&self.ignore)
    }

    /// Refuses a rule's name on the command line that no rule has.
    ///
    /// # Errors
    /// Where there is no such rule.
    pub fn known_rule(&self, name: &str) -> Result<(), ConfigError> {
        let rules: Vec<&str> = self.rules().map(Rule::name).collect();
        if rules.contains(&name) {
            Ok(())
        } else {
            Err(ConfigError::plain(&format!("there is no rule `{name}`")).suggest(name, &rules))
        }
    }

    fn apply(&mut self, source: &error::Text, directory: &Path) -> Result<(), ConfigError> {
        let file: File = toml::from_str(&source.text).map_err(|error| ConfigError::parse(source, &error))?;
        let version = |value: &Option<Value<String>>| {
            let parsed = value
                .as_ref()
                .map(|value| value.get_ref().parse().map_err(|error: NotAVersion| source.at(value, &error.to_string())));
            parsed.transpose()
        };
        self.nginx_version = version(&file.nginx.version)?.or(self.nginx_version);
        self.apache_version = version(&file.apache.version)?.or(self.apache_version);
        self.path_map.extend(file.paths.into_iter().map(|pair| (pair.from, directory.join(pair.to))));
        self.declared.websocket_routes.extend(file.websocket.routes);
        self.declared.other_routes.extend(file.websocket.not_routes);
        self.declared.websocket_upstreams.extend(file.websocket.upstreams);
        self.declared.apps.extend(file.websocket.app);
        if !file.exclude.is_empty() {
            let mut patterns = GitignoreBuilder::new(std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf()));
            for pattern in &file.exclude {
                patterns.add_line(None, pattern.get_ref()).map_err(|error| source.at(pattern, &error.to_string()))?;
            }
            self.exclude = patterns.build().map_err(|error| source.at(&file.exclude[0], &error.to_string()))?;
        }
        self.apply_rules(source, directory, file.rules)?;
        if let Some(heartbeat) = &file.websocket.heartbeat {
            if !is_duration(heartbeat.get_ref()) {
                let text = format!("`{}` is not a duration", heartbeat.get_ref());
                return Err(source.at(heartbeat, &text).help("write it as 25s, 500ms, 2m or 1h"));
            }
            // A ping that comes sooner than the connection would be closed keeps it open.
            let minimum = toml::Value::String(heartbeat.get_ref().clone());
            self.parameters.entry("read-timeout-short".to_owned()).or_default().insert("min".to_owned(), minimum);
        }
        Ok(())
    }

    /// Loads the rules that `paths` names.
    fn load(&mut self, source: &error::Text, directory: &Path, paths: &Value<toml::Value>) -> Result<(), ConfigError> {
        let span = paths.span();
        let patterns: Vec<String> = paths
            .get_ref()
            .clone()
            .try_into()
            .map_err(|_| source.at(paths, "`paths` is a list of files").help("for example paths = [\"lint/*.md\"]"))?;
        for pattern in patterns {
            let pattern = Value::new(span.clone(), pattern);
            for rule in own::load(source, directory, &pattern)? {
                if let Some(other) = self.rules().find(|other| other.name() == rule.name()) {
                    let text = format!("`{}` is named as `{}` is: `{}`", rule.path(), other.path(), rule.name());
                    return Err(source.at(&pattern, &text).help("a rule needs a name of its own"));
                }
                self.own.push(rule);
            }
        }
        Ok(())
    }

    fn apply_rules(&mut self, source: &error::Text, directory: &Path, mut table: file::Rules) -> Result<(), ConfigError> {
        // First, so that the others can name them.
        if let Some(key) = table.keys().find(|key| key.get_ref() == "paths").cloned()
            && let Some(paths) = table.remove(&key)
        {
            self.load(source, directory, &paths)?;
        }
        let own = self.own.clone();
        let rules: Vec<&str> = builtin().iter().chain(own.iter().map(Arc::as_ref)).map(Rule::name).collect();
        let rules = rules.as_slice();
        for (key, value) in table {
            let names = |value: &Value<toml::Value>| {
                let names: Result<Vec<String>, _> = value.get_ref().clone().try_into();
                let names = names.map_err(|_| source.at(value, &format!("`{}` is a list of rule names", key.get_ref())))?;
                match names.iter().find(|name| !rules.contains(&name.as_str())) {
                    Some(name) => Err(source.at(value, &format!("there is no rule `{name}`")).suggest(name, rules)),
                    None => Ok(names),
                }
            };
            match key.get_ref().as_str() {
                "select" => self.select = names(&value)?,
                "ignore" => self.ignore.extend(names(&value)?),
                rule if rules.contains(&rule) => {
                    let toml::Value::Table(parameters) = value.get_ref() else {
                        let text = format!("`{rule}` takes a table of its parameters");
                        return Err(source.at(&value, &text).help(format!("for example {rule} = {{ min = \"10m\" }}")));
                    };
                    self.parameters.entry(rule.to_owned()).or_default().extend(parameters.clone());
                }
                other => {
                    let known: Vec<&str> = ["paths", "select", "ignore"].iter().chain(rules).copied().collect();
                    return Err(source.at(&key, &format!("there is no rule `{other}`")).suggest(other, &known));
                }
            }
        }
        Ok(())
    }
}

/// Whether a text is a whole number and a unit: `25s`, `500ms`, `2m`, `1h`.
fn is_duration(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=12).contains(&digits) && matches!(text[digits..].trim_start(), "ms" | "s" | "m" | "min" | "h" | "d")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("proxylint.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    fn error(text: &str) -> ConfigError {
        read(text).unwrap_err()
    }

    #[test]
    fn every_key_is_read() {
        let settings = read(
            r#"
            exclude = ["vendor/"]
            [nginx]
            version = "1.24"
            [apache]
            version = "2.4.52"
            [[paths]]
            from = "/etc/nginx"
            to = "deploy/nginx"
            [websocket]
            routes = ["/live/*"]
            not_routes = ["/ws/docs"]
            upstreams = ["chat"]
            [[websocket.app]]
            name = "ours"
            strong = ["feed"]
            [rules]
            ignore = ["syntax"]
            read-timeout-short = { min = "10m" }
            "#,
        )
        .unwrap();
        assert_eq!(settings.version(Server::Nginx), Some(Version::new(1, 24, 0)));
        assert_eq!(settings.version(Server::Apache), Some(Version::new(2, 4, 52)));
        assert!(settings.path_map[0].1.ends_with("deploy/nginx"));
        assert_eq!(settings.declared.websocket_routes, ["/live/*"]);
        assert_eq!(settings.declared.other_routes, ["/ws/docs"]);
        assert_eq!(settings.declared.websocket_upstreams, ["chat"]);
        assert_eq!(settings.declared.apps[0].name, "ours");
        assert!(settings.applies("read-timeout-short") && !settings.applies("syntax"));
        assert_eq!(settings.parameters["read-timeout-short"]["min"].as_str(), Some("10m"));
        assert_eq!(settings.exclude.len(), 1);
    }

    #[test]
    fn what_there_is_not_is_an_error_at_its_place() {
        let unknown = error("[ngin]\nversion = \"1.24\"\n");
        assert_eq!(unknown.to_string(), "unknown key `ngin`");
        assert_eq!(unknown.help.as_deref(), Some("did you mean `nginx`?"));
        assert_eq!(unknown.span(), Some((1, 4)));
        let version = error("[nginx]\nversion = \"latest\"\n");
        assert_eq!(version.to_string(), "`latest` is not a version: write it as 1.28 or 2.4.47");
        assert_eq!(version.span(), Some((18, 8)));
        let rule = error("[rules]\nignore = [\"sintax\"]\n");
        assert_eq!(rule.help.as_deref(), Some("did you mean `syntax`?"));
        assert_eq!(
            error("[rules]\nread-timeout-shrt = { min = \"1h\" }").help.as_deref(),
            Some("did you mean `read-timeout-short`?")
        );
        assert_eq!(error("[websocket]\nheartbeat = \"often\"").to_string(), "`often` is not a duration");
        assert!(read("exclude = 3").is_err());
        assert!(read("= 3").is_err());
    }

    #[test]
    fn the_command_line_sets_single_keys() {
        let mut settings = Settings::default();
        settings.set("nginx.version=1.24").unwrap();
        settings.set("rules.read-timeout-short.min=\"5m\"").unwrap();
        settings.set("websocket.heartbeat=25s").unwrap();
        assert_eq!(settings.nginx_version, Some(Version::new(1, 24, 0)));
        assert_eq!(settings.parameters["read-timeout-short"]["min"].as_str(), Some("25s"));
        assert!(settings.set("nginx.versoin=1.24").is_err());
    }
}
