//! Networks as `-R` and `-ipmatch` take them.

use std::net::{IpAddr, Ipv4Addr};

/// Whether `apr_ipsubnet_create` takes a text: an address with a mask, or the beginning of one.
pub(in crate::apache) fn is_network(text: &str) -> bool {
    let (base, mask) = text.split_once('/').map_or((text, None), |(base, mask)| (base, Some(mask)));
    if let Ok(base) = base.parse::<IpAddr>() {
        let bits = if base.is_ipv4() { 32 } else { 128 };
        return mask.is_none_or(|mask| {
            let is_number = !mask.is_empty() && mask.bytes().all(|byte| byte.is_ascii_digit());
            is_number && mask.parse::<u32>().is_ok_and(|mask| (1..=bits).contains(&mask))
                || base.is_ipv4() && mask.parse::<Ipv4Addr>().is_ok()
        });
    }
    let parts: Vec<&str> = base.strip_suffix('.').unwrap_or(base).split('.').collect();
    mask.is_none()
        && (1..=3).contains(&parts.len())
        && parts.iter().all(|part| {
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok()
        })
}
