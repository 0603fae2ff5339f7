//! The facts of sites.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Listen, Site};

/// The facts of sites.
pub(super) const FACTS: &[Definition] = &[
    fact("names", Subject::Site, Type::List, site_names, "The names that the site answers to."),
    fact("listen", Subject::Site, Type::List, site_listen, "The sockets that the site answers on."),
    fact("tls", Subject::Site, Type::Flag, site_tls, "Whether TLS ends at the site."),
];

fn site(reader: &Reader<'_>, read: impl FnOnce(&Site) -> Reading) -> Reading {
    match reader.item {
        Item::Site(id) => read(reader.view.gateway.site(id)),
        _ => Reading::absent(),
    }
}

fn site_names(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let names = site.names.iter().map(|name| texts.show(name.text).into_owned()).collect();
        site.names.iter().fold(Reading::new(Value::List(names)), |reading, name| reading.at(name.span, "named here"))
    })
}

fn site_listen(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| {
        let texts = &reader.view.gateway.texts;
        let socket = |listen: &Listen| match listen.port {
            Some(port) => format!("{}:{port}", texts.show(listen.address)),
            None => texts.show(listen.address).into_owned(),
        };
        let sockets = site.listens.iter().map(socket).collect();
        site.listens.iter().fold(Reading::new(Value::List(sockets)), |reading, listen| reading.at(listen.span, "listens here"))
    })
}

fn site_tls(reader: &Reader<'_>, _: &str) -> Reading {
    site(reader, |site| match site.listens.iter().find(|listen| listen.tls) {
        Some(listen) => Reading::new(Value::Flag(true)).at(listen.span, "TLS ends here"),
        None => Reading::new(Value::Flag(false)).at(site.span, "the site"),
    })
}
