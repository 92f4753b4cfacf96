//! The base URLs that a policy accepts: https anywhere, http on loopback only, and what tells a host. No names are resolved here.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `None` when the URL can be used, and else why it cannot.
pub(crate) fn problem(url: &str) -> Option<&'static str> {
    if url.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'\\') {
        return Some("contains a space, a backslash or a character outside of ASCII");
    }
    let (is_encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Some("must start with https://"),
    };
    if rest.contains(['?', '#']) {
        return Some("has a query or a fragment");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Some("contains a user name or a password; store keys in the key vault");
    }
    if url.ends_with('/') {
        return Some("ends with a slash");
    }
    let Some(host) = host(authority) else {
        return Some("has no valid host or port");
    };
    if !is_encrypted && !is_loopback(host) {
        return Some("is not encrypted: http:// is for loopback only");
    }
    None
}

/// The host of `host`, `host:port` or `[v6]:port`.
pub(crate) fn host(authority: &str) -> Option<&str> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, port)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (host, port) = authority.split_at(end);
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || !host.bytes().all(is_part) {
            return None;
        }
        (host, port)
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(number) => number.parse::<u16>().is_ok_and(|number| number > 0) && !number.starts_with('+'),
        None => port.is_empty(),
    };
    port_is_valid.then_some(host)
}

/// Whether a host is this machine, by its name or address.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}
