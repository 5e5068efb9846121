//! Reading metrics endpoints.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use weir_telemetry::{Scrape, ScrapeError};

/// How long an endpoint may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An endpoint.
#[derive(Clone, Debug)]
pub(super) struct Place {
    authority: String,
    path: String,
}

/// An endpoint that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("`{0}` is no endpoint: it is written http://127.0.0.1:9464")]
    Url(String),
    #[error("it does not answer within {} s", ANSWER_MAX.as_secs())]
    Late,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("its answer is not UTF-8")]
    NoText,
    #[error("its answer is not understood: {0}")]
    Scrape(#[from] ScrapeError),
}

impl Place {
    /// `http://host:port`, with `/metrics` where no path is named.
    pub(super) fn parse(url: &str) -> Result<Place, FetchError> {
        let no_url = || FetchError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(no_url)?;
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(80));
        let path = if uri.path() == "/" { "/metrics" } else { uri.path() };
        Ok(Place { authority: format!("{host}:{port}"), path: path.to_owned() })
    }

    pub(super) fn name(&self) -> &str {
        &self.authority
    }

    /// Reads it.
    pub(super) fn scrape(&self) -> Result<Scrape, FetchError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let text = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, self.get()).await });
        Ok(Scrape::parse(&text.map_err(|_elapsed| FetchError::Late)??)?)
    }

    async fn get(&self) -> Result<String, FetchError> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::get(&self.path).header(header::HOST, &self.authority);
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| FetchError::Body(error.into()))?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(FetchError::Body)?;
        connection.abort();
        String::from_utf8(body.to_bytes().into()).map_err(|_| FetchError::NoText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls() {
        let place = Place::parse("http://localhost:9464").expect("an endpoint");
        assert_eq!((place.name(), place.path.as_str()), ("localhost:9464", "/metrics"));
        assert_eq!(Place::parse("http://[::1]:1/x").expect("an endpoint").path, "/x");
        for url in ["", "localhost:9464", "https://localhost:9464", "/metrics", "http://"] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }
}
