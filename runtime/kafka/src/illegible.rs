//! Headers whose names are no text.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// A header's name, and its value if it has one.
pub type HeaderRef<'a> = (&'a str, Option<&'a [u8]>);

thread_local! {
    // A panic on this thread would be caught, and is no news.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// A header, or what stands for one whose name is no UTF-8: whoever may write to the topic can send such a name, and the
/// client panics over it.
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

/// A text of the client's, or `None` where it panics over it since it is no UTF-8.
pub fn text<'a>(get: impl FnOnce() -> &'a str) -> Option<&'a str> {
    CAUGHT.set(true);
    let got = catch_unwind(AssertUnwindSafe(get));
    CAUGHT.set(false);
    got.ok()
}

/// Keeps panics over illegible headers, which are caught, from being reported: whoever may write to a topic could fill the
/// standard error of its readers with them. All others are reported as they were. For programs to call once, at their start.
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

    /// What was reported of the panics below.
    static REPORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn panics<T>(message: &str) -> T {
        std::panic::panic_any(message.to_owned())
    }

    #[test]
    fn a_header_over_which_the_client_panics_is_passed_on_without_its_value() {
        // Other tests of this process panic as they ever did.
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
