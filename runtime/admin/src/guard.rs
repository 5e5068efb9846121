//! Checks whether a client may send a request.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;

use crate::problem::{Code, RequestProblem};
use crate::route::Route;

/// How a client connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By the Unix socket, which only this user can reach.
    Unix,
    /// By the Unix socket, when there are too many clients.
    UnixBusy,
    /// By TCP: anybody who can reach the address, including web pages in browsers that can reach it.
    Tcp { steering: bool, loopback: bool },
}

impl Via {
    /// Checks whether a request may be answered.
    ///
    /// A browser sends requests for a web page to addresses that the page itself cannot reach. The page can send a POST without a
    /// preflight request, so a POST with `Origin` is refused. A page whose own host name was pointed at this address (DNS
    /// rebinding) could read responses, so the host must be an IP address or `localhost`, which no page can have as its name.
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
        // Addresses that other machines can reach may have host names, which this process does not know.
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
