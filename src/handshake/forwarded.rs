//! Clients by their addresses: networks, and what trusted proxies tell of them (`ngx_http_get_forwarded_addr`, `ngx_http_core_module.c`).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::network::shares_bits;
use crate::nginx::values::ip;

/// The client's address where `value`, a list with the nearest last, is told by proxies that are trusted.
pub(super) fn forwarded(client: IpAddr, value: &str, trusted: &[Cow<'_, str>], recursive: bool) -> IpAddr {
    let is_trusted = |client: IpAddr| trusted.iter().any(|network| includes(network, client));
    let mut named = value.split([' ', ',']).filter(|part| !part.is_empty()).rev();
    let mut client = client;
    while is_trusted(client) {
        let Some(next) = named.next().and_then(address) else { break };
        client = next;
        if !recursive {
            break;
        }
    }
    client
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Whether `client` is `all`, the address or in the network `written`.
pub(super) fn includes(written: &str, client: IpAddr) -> bool {
    if written == "all" {
        return true;
    }
    let (address, bits) = match written.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u32>().ok()),
        None => (written, Some(if written.contains(':') { 128 } else { 32 })),
    };
    let Some(bits) = bits else { return false };
    ip(address).is_some_and(|own| shares_bits(own, client, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_name_the_client() {
        let client = |value: &str, trusted: &[&str], recursive| {
            let trusted: Vec<_> = trusted.iter().map(|network| Cow::Borrowed(*network)).collect();
            forwarded("127.0.0.1".parse().unwrap(), value, &trusted, recursive).to_string()
        };
        assert_eq!(client("10.0.0.1, 10.0.0.2", &["127.0.0.1"], true), "10.0.0.2");
        assert_eq!(client("10.0.0.1, 10.0.0.2:80", &["127.0.0.0/8", "10.0.0.2"], true), "10.0.0.1");
        assert_eq!(client("10.0.0.1, 10.0.0.2", &["127.0.0.0/8", "10.0.0.2"], false), "10.0.0.2");
        assert_eq!(client("unknown", &["all"], false), "127.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.168.0.0/16"], false), "127.0.0.1");
    }

    #[test]
    fn addresses_and_networks() {
        let client = "10.1.2.3".parse().unwrap();
        for (written, expected) in [
            ("all", true),
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("10.0.0.0/8", true),
            ("11.0.0.0/8", false),
            ("0.0.0.0/0", true),
            ("::/0", false),
            ("unix:", false),
        ] {
            assert_eq!(includes(written, client), expected, "{written}");
        }
        assert!(includes("fe80::/10", "fe80::1".parse().unwrap()));
    }
}
