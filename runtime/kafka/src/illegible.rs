//! Headers whose names are not valid UTF-8.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// A header's name, and its value if it has one.
pub type HeaderRef<'a> = (&'a str, Option<&'a [u8]>);

thread_local! {
    // A panic on this thread will be caught, and is not reported.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// A header, or a replacement if its name is not valid UTF-8. Anybody who can write to the topic can send such a name, and the
/// client panics when it reads it.
pub fn legible<'a>(get: impl FnOnce() -> Option<HeaderRef<'a>>) -> HeaderRef<'a> {
    CAUGHT.set(true);
    let got = catch_unwind(AssertUnwindSafe(get));
    CAUGHT.set(false);
    if got.is_err() {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::warn!(
                "the name of a header is not UTF-8: the header is passed on as `\u{fffd}`, without its value"
            )
        });
    }
    got.ok().flatten().unwrap_or(("\u{fffd}", None))
}

/// A text of the client; `None` if the client panics because it is not valid UTF-8.
pub fn text<'a>(get: impl FnOnce() -> &'a str) -> Option<&'a str> {
    CAUGHT.set(true);
    let got = catch_unwind(AssertUnwindSafe(get));
    CAUGHT.set(false);
    got.ok()
}

/// Suppresses reports of caught panics over invalid headers: otherwise anybody who can write to a topic could fill the standard
/// error of its readers. Other panics are reported as before. Programs call this once, at their start.
pub fn hush_illegible_headers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !CAUGHT.get() {
            report(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The panics that were reported during the test below.
    static REPORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn panics<T>(message: &str) -> T {
        std::panic::panic_any(message.to_owned())
    }

    #[test]
    fn a_header_over_which_the_client_panics_is_passed_on_without_its_value() {
        // Panics of other tests in this process are reported as before.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match panic.payload().downcast_ref::<String>() {
            Some(message) if message.starts_with("illegible") => {
                REPORTED.lock().expect("a lock").push(message.clone());
            }
            _ => usual(panic),
        }));
        assert_eq!(legible(|| Some(("name", Some(&b"value"[..])))), ("name", Some(&b"value"[..])));
        assert_eq!(legible(|| None), ("\u{fffd}", None));
        assert_eq!(legible(|| panics("illegible, reported")), ("\u{fffd}", None));
        hush_illegible_headers();
        assert_eq!(legible(|| panics("illegible, hushed")), ("\u{fffd}", None));
        assert!(catch_unwind(|| panics::<()>("illegible, of somebody else")).is_err());
        let reported = REPORTED.lock().expect("a lock").clone();
        assert_eq!(reported, ["illegible, reported", "illegible, of somebody else"]);
    }
}
