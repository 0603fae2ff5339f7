//! Which areas cover a request, in the order in which httpd merges them.

use std::path::Path;

use rustc_hash::FxHashMap;

use crate::gateway::{Area, Covers, EncodedSlashes, Gateway, Known, Matcher, Overrides, ScopeId, Settings, SiteId};
use crate::handshake::evaluate::Environment;
use crate::handshake::expression::expression_holds;
use crate::handshake::select::{covers_path, main_of, matches};
use crate::source::{FileKind, Span};

/// What a request leads to, as far as areas ask for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whereto<'a> {
    /// The file that it is mapped to.
    pub(super) file: Option<&'a str>,
    /// The file whose directories were looked through.
    pub(super) walked: Option<&'a str>,
    /// The URL that it is passed to.
    pub(super) url: Option<&'a str>,
}

/// The areas that cover a request: the main server and the site; directories, the outer first; files; backends; paths; conditions
/// (`ap_process_request_internal`, `request.c`).
pub(super) fn covering<'g>(
    gateway: &'g Gateway,
    environment: &Environment<'_>,
    site: SiteId,
    whereto: Whereto<'_>,
) -> Known<Vec<&'g Area>> {
    let mut found: Vec<(Rank, (SiteId, usize), &Area)> = Vec::new();
    let all = main_of(gateway, site).into_iter().chain([site]).flat_map(|site| &gateway.site(site).areas);
    let trusts_links = !all.map(|area| &area.settings).any(|settings| settings.follow_links == Some(false));
    for site in main_of(gateway, site).into_iter().chain([site]) {
        let areas = &gateway.site(site).areas;
        let mut covered = vec![false; areas.len()];
        for (index, area) in areas.iter().enumerate() {
            if index > 0 && !covered[area.within] {
                continue;
            }
            let rank = match covers(environment, area, whereto, trusts_links) {
                Ok(rank) => rank,
                Err(_) if !area.sets_anything() && gateway.scopes.own(area.scope).next().is_none() => None,
                Err(why) => return Err(why),
            };
            if let Some(rank) = rank {
                covered[index] = true;
                found.push((rank, (site, index), area));
            }
        }
    }
    found.sort_by_key(|&(rank, ..)| rank);
    let conditions = found.partition_point(|&(rank, ..)| rank < Rank::Condition);
    if conditions == found.len() {
        return Ok(found.into_iter().map(|(.., area)| area).collect());
    }
    let mut places: FxHashMap<(SiteId, usize), (usize, usize)> = FxHashMap::default();
    for (place, &(_, id, _)) in found.iter().enumerate() {
        places.insert(id, (0, place));
    }
    // Conditions come in the order of what they stand in, and those within others behind them all (`ap_if_walk`).
    for &(_, (site, index), area) in &found[conditions..] {
        let (depth, place) = places.get(&(site, area.within)).copied().unwrap_or_default();
        places.insert((site, index), (depth + 1, place));
    }
    found[conditions..].sort_by_key(|&(_, id, _)| places.get(&id).copied());
    Ok(found.into_iter().map(|(.., area)| area).collect())
}

/// When an area is merged: the later wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Site,
    /// By the number of segments; the directory's own file is behind what the configuration says of it.
    Directory(usize, bool),
    DirectoryPattern,
    File,
    Proxied,
    Path,
    Condition,
}

fn covers(environment: &Environment<'_>, area: &Area, whereto: Whereto<'_>, trusts_links: bool) -> Known<Option<Rank>> {
    let texts = &environment.gateway.texts;
    let takes = |matcher, text: &str| matches(environment, matcher, area.span, text);
    Ok(match area.covers {
        Covers::Everything => Some(Rank::Site),
        Covers::Path(matcher) => covers_path(environment, matcher, area.span, &environment.request.path)?.then_some(Rank::Path),
        Covers::Directory(Matcher::Segments(text)) => {
            let Some(directory) = whereto.walked.map(|file| directory_of(environment, file, trusts_links)) else {
                return Ok(None);
            };
            let rank = Rank::Directory(segments(&texts.show(text)), area.file.is_some());
            // Sections name directories with a slash behind or without.
            takes(Matcher::Segments(text), &format!("{directory}/"))?.then_some(rank)
        }
        Covers::Directories { pattern, segments: count, .. } => {
            let Some(directory) = whereto.walked.map(|file| directory_of(environment, file, trusts_links)) else {
                return Ok(None);
            };
            let above = directory.match_indices('/').nth(count).map_or(directory, |(at, _)| &directory[..at]);
            let fits = segments(above) == count && takes(Matcher::Pattern { pattern, ignore_case: false }, above)?;
            fits.then_some(Rank::Directory(count, false))
        }
        // Patterns are tried with the whole path, once all directories are merged.
        Covers::Directory(matcher) => match whereto.walked {
            Some(file) => takes(matcher, file)?.then_some(Rank::DirectoryPattern),
            None => None,
        },
        Covers::File(matcher) => {
            let Some(name) = whereto.file.and_then(|file| Path::new(file).file_name()?.to_str()) else { return Ok(None) };
            takes(matcher, name)?.then_some(Rank::File)
        }
        Covers::Proxied(matcher) => {
            let Some(url) = whereto.url else { return Ok(None) };
            takes(matcher, url)?.then_some(Rank::Proxied)
        }
        Covers::Condition(id) => expression_holds(environment, id)?.then_some(Rank::Condition),
        Covers::Unknown(why) => return Err(why),
    })
}

/// The directory that a file lies in, or that it is.
fn directory_of<'f>(environment: &Environment<'_>, file: &'f str, trusts_links: bool) -> &'f str {
    let kind = environment.notes.and_then(|notes| notes.files).and_then(|files| files(super::served::in_tree(file)));
    // Where links are followed, each part of what is there is taken for a directory unseen, unless more of the path lies behind
    // (`ap_directory_walk`).
    let is_all = environment.notes.is_none_or(|notes| notes.path_info.is_empty());
    let is_directory = kind == Some(FileKind::Directory) || kind.is_some() && trusts_links && is_all;
    match file.rfind('/') {
        Some(at) if !is_directory => &file[..at.max(1)],
        _ => file,
    }
}

fn segments(path: &str) -> usize {
    path.split('/').filter(|segment| !segment.is_empty()).count()
}

/// Leaves out the files of directories that are not read; the line of one that is refused, and why.
///
/// Each is judged by what the areas before it allow (`ap_directory_walk`).
pub(super) fn allowed<'g>(gateway: &'g Gateway, areas: Vec<&'g Area>) -> Result<Vec<&'g Area>, (Span, &'static str)> {
    // Where nothing says what may stand in such files, they are read, and nothing may.
    let unset = Overrides::default();
    let mut kept: Vec<&'g Area> = Vec::with_capacity(areas.len());
    let mut judged = Vec::new();
    for area in areas {
        if let Some(file) = &area.file {
            judged.push(area.span.source);
            let overrides = match setting(&kept, |settings| settings.overrides.as_deref()) {
                Some(overrides) if overrides.reads() => overrides,
                None if gateway.partial.is_none() => &unset,
                _ => continue,
            };
            let is_read = match &file.under {
                Some(under) if overrides.is_lenient() => {
                    let is_this = under.overrides == *overrides;
                    if let Some(refused) = under.refused.filter(|_| is_this) {
                        return Err(refused);
                    }
                    is_this
                }
                None if overrides.is_lenient() => false,
                under => {
                    let forbidden = || file.needs.iter().find(|needed| !overrides.allow(needed));
                    if let Some(refused) = file.refused.or_else(|| Some((forbidden()?.span, "is not allowed here"))) {
                        return Err(refused);
                    }
                    under.is_none()
                }
            };
            if is_read {
                kept.push(area);
            }
        } else if !judged.contains(&area.span.source) || is_in_one_of(gateway, area, &kept) {
            kept.push(area);
        }
    }
    Ok(kept)
}

/// Whether a section stands in a directory's file that is read.
fn is_in_one_of(gateway: &Gateway, area: &Area, kept: &[&Area]) -> bool {
    // Such files belong to the main server.
    let Some(main) = gateway.sites.first() else { return false };
    let mut around = area;
    while around.file.is_none() && around.within > 0 {
        around = &main.areas[around.within];
    }
    kept.iter().any(|kept| std::ptr::eq(*kept, around))
}

/// The last value that the areas set.
pub(super) fn setting<'a, T>(areas: &[&'a Area], get: impl Fn(&'a Settings) -> Option<T>) -> Option<T> {
    areas.iter().rev().find_map(|area| get(&area.settings))
}

/// What becomes of `%2F`: no level has it from those around it (`merge_core_dir_configs`, `server/core.c`).
pub(super) fn encoded_slashes(areas: &[&Area]) -> EncodedSlashes {
    areas.last().and_then(|area| area.settings.encoded_slashes).unwrap_or(EncodedSlashes::Refused)
}

/// The levels of the areas, the outer first.
pub(super) fn levels(areas: &[&Area]) -> Vec<ScopeId> {
    areas.iter().map(|area| area.scope).collect()
}

/// The areas of a site that are there for every request to it.
pub(super) fn of_site(gateway: &Gateway, site: SiteId) -> Vec<&Area> {
    main_of(gateway, site).into_iter().chain([site]).filter_map(|site| gateway.site(site).areas.first()).collect()
}
