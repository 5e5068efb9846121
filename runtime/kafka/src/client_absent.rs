//! Option checks in a program without the client, which cannot open connections.

/// Without the client, values cannot be checked.
pub(crate) fn try_option(_name: &str, _value: &str) -> Result<(), Option<String>> {
    Ok(())
}
