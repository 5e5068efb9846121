//! The HTTP client: a blocking one, for the exporter has a thread of its own.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;

/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Speaks HTTP and, by rustls, HTTPS.
#[derive(Debug)]
pub(super) struct Client(Agent);

impl Client {
    /// With so much time for each request as a whole.
    pub(super) fn new(timeout: Duration) -> Client {
        // A status of failure is the exporter's to understand. A receiver that sends headers with a secret elsewhere
        // is not followed.
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        Client(config.build().into())
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.0.run(request.map(|body| body.to_vec()))?;
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Response::from_parts(parts, Bytes::from(body)))
    }
}
