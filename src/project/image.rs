//! The server's version, where a Dockerfile beside the configuration names the image it runs in.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Store;
use crate::gateway::{Server, Version};

/// How much of a Dockerfile is read.
const LONGEST: u64 = 64 * 1024;

/// The version that a Dockerfile in `directory` or the one above names, both inside the given paths.
pub(super) fn version_beside(store: &mut Store, server: Server, directory: &Path) -> Option<Version> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    [Some(here), here.parent()].into_iter().flatten().find_map(|directory| {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let files: Vec<_> = store.list(directory)?.iter().filter(|path| is_dockerfile(path)).cloned().collect();
        files.iter().find_map(|path| from_dockerfile(server, &read(path)?))
    })
}

fn is_dockerfile(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (name == "Dockerfile" || name == "Containerfile" || name.starts_with("Dockerfile.") || name.ends_with(".Dockerfile"))
        && path.is_file()
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The version in the last `FROM` of the server's image: the last stage is the one that runs.
fn from_dockerfile(server: Server, text: &str) -> Option<Version> {
    let images = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let is_from = words.next()?.eq_ignore_ascii_case("from");
        is_from.then(|| words.find(|word| !word.starts_with("--"))).flatten()
    });
    images.filter_map(|image| from_image(server, image)).next_back()
}

fn from_image(server: Server, image: &str) -> Option<Version> {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let (name, tag) = image.rsplit_once(':')?;
    let name = name.rsplit_once('/').map_or(name, |(_, name)| name);
    let fits = match server {
        Server::Nginx => matches!(name, "nginx" | "nginx-unprivileged"),
        Server::Apache => matches!(name, "httpd" | "apache"),
    };
    let number = tag.split_once('-').map_or(tag, |(number, _)| number);
    if fits { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_name_versions() {
        let nginx = |image| from_image(Server::Nginx, image);
        assert_eq!(nginx("nginx:1.27"), Some(Version::new(1, 27, 0)));
        assert_eq!(nginx("docker.io/library/nginx:1.25.3-alpine"), Some(Version::new(1, 25, 3)));
        assert_eq!(nginx("nginxinc/nginx-unprivileged:1.22.1@sha256:00"), Some(Version::new(1, 22, 1)));
        assert_eq!(nginx("nginx:latest"), None);
        assert_eq!(nginx("nginx"), None);
        assert_eq!(nginx("registry:5000/nginx"), None);
        assert_eq!(nginx("httpd:2.4.58"), None);
        assert_eq!(from_image(Server::Apache, "httpd:2.4.58"), Some(Version::new(2, 4, 58)));
    }

    #[test]
    fn the_last_stage_counts() {
        let text = "FROM node:20 AS build\nRUN make\nFROM --platform=linux/amd64 nginx:1.21 AS web\nfrom nginx:1.27.1\n";
        assert_eq!(from_dockerfile(Server::Nginx, text), Some(Version::new(1, 27, 1)));
        assert_eq!(from_dockerfile(Server::Apache, text), None);
    }
}
