//! What happens once an instance, before the first batch.

use crate::sys;

/// Makes a panic's message and place the guest's last words: a trap by itself says neither.
pub fn start() {
    // Natively the test harness has a hook of its own.
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
