//! Options in a program without the client, which opens no connection.

/// Nobody here knows what the client would take.
pub(crate) fn try_option(_name: &str, _value: &str) -> Result<(), Option<String>> {
    Ok(())
}
