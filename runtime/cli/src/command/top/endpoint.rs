//! Queries of other machines, by the address that their processes answer at.

use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;
use ureq::Agent;
use weir_admin::{ANSWER_BYTES_MAX, RefusalBody, Route};
use weir_telemetry::WorkersReport;

use crate::control::{Seen, clean};

/// How long an endpoint may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// An address of `weir run --metrics-listen`.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    authority: String,
    base: String,
    agent: Agent,
}

/// An endpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndpointError {
    #[error("invalid endpoint `{0}`: expected a URL such as http://127.0.0.1:9464")]
    Url(String),
    #[error("it does not respond within {} s", ANSWER_MAX.as_secs())]
    Late,
    #[error("{0}")]
    Io(std::io::Error),
    #[error("{0}")]
    Http(Box<ureq::Error>),
    #[error("it responds with {status}: {said}")]
    Refused { status: u16, said: String },
    #[error("invalid response: {0}")]
    Answer(#[from] serde_json::Error),
}

impl From<ureq::Error> for EndpointError {
    fn from(error: ureq::Error) -> EndpointError {
        match error {
            ureq::Error::Timeout(_) => EndpointError::Late,
            ureq::Error::Io(error) => EndpointError::Io(error),
            error => EndpointError::Http(Box::new(error)),
        }
    }
}

impl Endpoint {
    /// `http://host:port`. What was written for a scraper, with `/metrics` behind it, is the same.
    pub(super) fn parse(url: &str) -> Result<Endpoint, EndpointError> {
        let no_url = || EndpointError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(no_url)?;
        let authority = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = uri.path();
        let path = path.strip_suffix("/metrics").unwrap_or(path).trim_end_matches('/');
        // Its answers are figures: nothing is sent elsewhere, by whatever the environment or the endpoint say.
        let config = Agent::config_builder()
            .timeout_global(Some(ANSWER_MAX))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None);
        Ok(Endpoint { base: format!("http://{authority}{path}"), authority, agent: config.build().into() })
    }

    pub(super) fn name(&self) -> &str {
        &self.authority
    }

    /// What its queries do, and the workers that they run in.
    pub(super) fn queries(&self) -> Result<(Vec<Seen>, Option<WorkersReport>), EndpointError> {
        #[derive(Deserialize)]
        struct Answer {
            queries: Vec<Seen>,
            #[serde(default)]
            workers: Option<WorkersReport>,
        }
        let mut response = self.agent.get(format!("{}{}", self.base, Route::Queries)).call()?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX as u64 + 1).read_to_vec()?;
        if status.is_success() {
            let Answer { queries, workers } = serde_json::from_slice(&body)?;
            return Ok((queries, workers));
        }
        let said = match serde_json::from_slice::<RefusalBody>(&body) {
            Ok(refusal) => clean(&refusal.error.to_string()),
            Err(_) => "it may be an older version of weir, or another program".to_owned(),
        };
        Err(EndpointError::Refused { status: status.as_u16(), said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls() {
        let endpoint = Endpoint::parse("http://localhost:9464").expect("an endpoint");
        assert_eq!((endpoint.name(), endpoint.base.as_str()), ("localhost:9464", "http://localhost:9464"));
        let base = |url| Endpoint::parse(url).expect("an endpoint").base;
        assert_eq!(base("http://[::1]:1/x"), "http://[::1]:1/x");
        assert_eq!([base("http://h/metrics"), base("http://h/x/metrics")], ["http://h:80", "http://h:80/x"]);
        for url in ["", "localhost:9464", "https://localhost:9464", "/metrics", "http://"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
