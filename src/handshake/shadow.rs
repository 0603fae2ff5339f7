//! Which mapping never gets a request because another takes them all; by an index of paths, not pairwise.

use rustc_hash::FxHashMap;

use crate::gateway::{Gateway, Matcher, RouteId, SiteId, TextId, covering};

/// The first mapping and the last section of each site at each path.
#[derive(Debug, Default)]
pub struct Shadows {
    first_mapping: FxHashMap<(SiteId, TextId), RouteId>,
    last_section: FxHashMap<(SiteId, TextId), RouteId>,
}

impl Shadows {
    /// Indexes the routes of `gateway`.
    #[must_use]
    pub fn new(gateway: &Gateway) -> Self {
        let mut shadows = Self::default();
        let path = |id: RouteId| match gateway.route(id).matcher {
            // What does not begin with a slash is never asked for, and takes nothing.
            Matcher::Segments(path) if gateway.texts.get(path).starts_with(b"/") => Some(path),
            _ => None,
        };
        for (site, index) in gateway.sites.iter().zip(0..) {
            for id in site.mappings.clone().map(RouteId) {
                if let Some(path) = path(id) {
                    shadows.first_mapping.entry((SiteId(index), path)).or_insert(id);
                }
            }
            for id in site.sections.clone().map(RouteId) {
                if let Some(path) = path(id) {
                    shadows.last_section.insert((SiteId(index), path), id);
                }
            }
        }
        shadows
    }

    /// The route that takes every request that `id` could take; `None` where there is none, or only some are taken.
    #[must_use]
    pub fn of(&self, gateway: &Gateway, id: RouteId) -> Option<RouteId> {
        let route = gateway.route(id);
        let Matcher::Segments(path) = route.matcher else { return None };
        let site = route.site;
        let is_section = gateway.site(site).sections.contains(&id.0);
        let main = gateway.sites.first().filter(|main| main.is_main && site != SiteId(0)).map(|_| SiteId(0));
        let mut found = None;
        for prefix in covering(gateway.texts.get(path)) {
            let Some(prefix) = gateway.texts.find(prefix) else { continue };
            let section = |site| self.last_section.get(&(site, prefix)).copied();
            let mapping = |site| self.first_mapping.get(&(site, prefix)).copied();
            let other = if is_section {
                section(site).filter(|&other| other > id)
            } else {
                section(site)
                    .or_else(|| main.and_then(section))
                    .or_else(|| main.and_then(mapping))
                    .or_else(|| mapping(site).filter(|&other| other < id))
            };
            // The broadest is the one that a reader looks for: `/` before `/ws`.
            found = other.or(found);
        }
        found
    }
}
