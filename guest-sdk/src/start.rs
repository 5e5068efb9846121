//! Runs once per instance, before the first batch.

use crate::sys;

/// Installs a hook that stores the message and place of a panic as the guest's last words: a trap contains neither.
pub fn start() {
    // In native builds the test harness has its own hook.
    if cfg!(target_arch = "wasm32") {
        std::panic::set_hook(Box::new(|info| {
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            match info.location() {
                Some(place) => sys::last_words(&format!("{message} ({place})")),
                None => sys::last_words(message),
            }
        }));
    }
}
