//! Headers in a letter's JSON.

use serde::Deserialize;

/// A header with its value encoded.
pub(crate) type EncodedHeader = (String, Option<String>);

/// Headers in the form of either version.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ReadHeaders {
    Hex(Vec<EncodedHeader>),
    Base64 { base64: Vec<EncodedHeader> },
}
