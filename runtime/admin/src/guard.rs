//! Who may ask for what.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;

use crate::problem::{Code, RequestProblem};
use crate::route::Route;

/// How a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By the Unix socket, which only the user can reach.
    Unix,
    /// By the Unix socket, and there is no room for it.
    UnixBusy,
    /// By TCP: whoever can reach the address, and any web page in a browser that can.
    Tcp { steering: bool, loopback: bool },
}

impl Via {
    /// Whether a request may be answered.
    ///
    /// A browser sends what a web page wants to an address that the page itself could not reach. It cannot be kept from
    /// sending a POST without asking (so POST is refused with `Origin`), and a page whose own name was made to point here
    /// (DNS rebinding) may read the answer (so the host must be an address or `localhost`, which no page can be named).
    pub(crate) fn admits<B>(self, route: &Route, request: &Request<B>) -> Result<(), RequestProblem> {
        let Via::Tcp { steering, loopback } = self else { return Ok(()) };
        let steers = matches!(route, Route::Steer(..));
        if steers && !steering {
            let remedy = "use `weir pause`, `resume` or `stop` as the same user on the same machine, \
                          or start the process with --allow-steering";
            return Err(RequestProblem::new(Code::ReadOnly, "this address is read-only", remedy));
        }
        if steers && request.headers().contains_key(ORIGIN) {
            let remedy = "send the request without the header `Origin`";
            return Err(RequestProblem::new(Code::ForeignRequest, "web pages may not control queries", remedy));
        }
        // Addresses that other machines can reach have names of their own, which only their owners know.
        let held = steers || (loopback && route.is_v1());
        if held && !names_here(request) {
            let remedy = "name the host by its IP address, or `localhost`";
            return Err(RequestProblem::new(Code::ForeignRequest, "the request is for another host", remedy));
        }
        Ok(())
    }
}

fn names_here<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    is_here(host) && request.uri().authority().is_none_or(is_address)
}

fn is_here(host: &HeaderValue) -> bool {
    Authority::try_from(host.as_bytes()).is_ok_and(|authority| is_address(&authority))
}

fn is_address(authority: &Authority) -> bool {
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}
