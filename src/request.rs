//! What to do: the paths, and the settings for them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{self, ConfigError, Settings};
use crate::gateway::Version;
use crate::project::Given;
use crate::rules::Options;

/// What to do.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files and directories to read.
    pub paths: Vec<PathBuf>,
    /// The settings file to use instead of the nearest.
    pub config: Option<PathBuf>,
    /// Whether settings files are left alone.
    pub isolated: bool,
    /// Single settings, as `KEY=VALUE`.
    pub set: Vec<String>,
    /// The rules to apply; empty: those of the settings.
    pub select: Vec<String>,
    /// Rules not to apply.
    pub ignore: Vec<String>,
    /// The version of nginx to judge for.
    pub nginx_version: Option<Version>,
    /// The version of Apache httpd to judge for.
    pub apache_version: Option<Version>,
    /// Whether routes are judged of which only a weak hint says that they are meant for WebSockets.
    pub pedantic: bool,
}

impl Request {
    /// The settings for each path, in the order of the paths.
    ///
    /// # Errors
    /// Where a settings file or a single setting cannot be used.
    pub fn settings(&self) -> Result<Vec<Settings>, ConfigError> {
        // Many paths share few files.
        let mut read: BTreeMap<Option<PathBuf>, Settings> = BTreeMap::new();
        let mut all = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            let file = match &self.config {
                _ if self.isolated => None,
                Some(file) => Some(file.clone()),
                None => config::find(path),
            };
            if !read.contains_key(&file) {
                let settings = file.as_ref().map_or_else(|| Ok(Settings::default()), |file| Settings::read(file));
                read.insert(file.clone(), self.overlay(settings?)?);
            }
            all.extend(read.get(&file).cloned());
        }
        Ok(all)
    }

    /// Puts what the command line says over what the file says.
    fn overlay(&self, mut settings: Settings) -> Result<Settings, ConfigError> {
        for key_value in &self.set {
            settings.set(key_value)?;
        }
        for name in self.select.iter().chain(&self.ignore) {
            settings.known_rule(name)?;
        }
        if !self.select.is_empty() {
            settings.select.clone_from(&self.select);
            // What is asked for by name is not left out by the file.
            settings.ignore.retain(|name| !self.select.contains(name));
        }
        settings.ignore.extend(self.ignore.iter().cloned());
        settings.nginx_version = self.nginx_version.or(settings.nginx_version);
        settings.apache_version = self.apache_version.or(settings.apache_version);
        Ok(settings)
    }

    /// The paths with what is excluded from each.
    pub(crate) fn given(&self, settings: &[Settings]) -> Vec<Given> {
        let given = |(path, settings): (&PathBuf, &Settings)| Given { path: path.clone(), exclude: settings.exclude.clone() };
        self.paths.iter().zip(settings).map(given).collect()
    }
}

/// Where absolute paths lie in the tree, by all settings.
pub(crate) fn path_map(settings: &[Settings]) -> Vec<(PathBuf, PathBuf)> {
    let mut map: Vec<(PathBuf, PathBuf)> = Vec::new();
    for pair in settings.iter().flat_map(|settings| &settings.path_map) {
        if !map.contains(pair) {
            map.push(pair.clone());
        }
    }
    map
}

/// How to judge under `settings`. Weak hints are always judged, so that their number can be told; `pedantic`: all is shown.
///
/// # Errors
/// Where a rule has no such parameter, or it cannot have the value.
pub(crate) fn options(settings: &Settings, pedantic: bool) -> Result<Options, ConfigError> {
    let mut options = Options::default();
    options.pedantic = pedantic;
    options.possible = true;
    for rule in settings.rules() {
        for (name, value) in settings.parameters.get(rule.name()).into_iter().flatten() {
            options.set(rule, name, value).map_err(|error| ConfigError::plain(&error.to_string()))?;
        }
    }
    Ok(options)
}
