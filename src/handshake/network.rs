//! Networks: addresses that begin with the same bits.

use std::net::IpAddr;

/// Whether two addresses are of one family and begin with the same `bits`; more than an address has mean all of it.
pub(super) fn shares_bits(one: IpAddr, other: IpAddr, bits: u32) -> bool {
    let differ = |difference: u128, width: u32| difference.checked_shr(width.saturating_sub(bits)).unwrap_or(0) != 0;
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => bits == 0 || !differ(u128::from(one.to_bits() ^ other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => bits == 0 || !differ(one.to_bits() ^ other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_bits_count() {
        let shares = |one: &str, other: &str, bits| shares_bits(one.parse().unwrap(), other.parse().unwrap(), bits);
        assert!(shares("10.1.2.3", "10.1.9.9", 16) && !shares("10.1.2.3", "10.1.9.9", 24));
        assert!(shares("1.2.3.4", "200.1.1.1", 0) && shares("1.2.3.4", "1.2.3.4", 32) && !shares("1.2.3.4", "1.2.3.5", 32));
        assert!(shares("2001:db8::1", "2001:db8::2", 64) && !shares("2001:db8::1", "2001:db8::2", 128));
        assert!(shares("::1", "ff::", 0) && shares("1.2.3.4", "1.2.3.4", 99) && !shares("::1", "0.0.0.1", 0));
    }
}
