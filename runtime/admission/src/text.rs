//! Text of modules in messages.

/// Text of a module for a message, escaped and cut.
pub(crate) fn clean(text: &str) -> String {
    weir_text::escape_to(text, 160)
}

#[cfg(test)]
mod tests {
    use weir_text::escape_display;

    use super::*;

    #[test]
    fn a_text_is_cut() {
        assert_eq!(clean(&"x".repeat(1000)).len(), 160);
        assert_eq!(clean("a\n"), "a\\n");
    }

    #[test]
    fn a_name_that_stands_for_terabytes_is_cut_before_it_is_made() {
        // Each type argument is a pair of the previous one: 2^40 names.
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let base_62 =
            |number: usize| [digits[number / 62], digits[number % 62]].map(char::from).iter().collect::<String>();
        let mut path = "INvC1a1f".to_owned();
        let mut last = path.len();
        path.push_str("TuuE");
        for _ in 0..40 {
            let here = path.len();
            let back = base_62(last - 1);
            path.push_str(&format!("TB{back}_B{back}_E"));
            last = here;
        }
        let shown = escape_display(rustc_demangle::demangle(&format!("_R{path}E")), 200);
        assert!(shown.starts_with("a::f::<((), ()), (((), ()), ((), ()))"), "{shown}");
        assert_eq!(shown.chars().count(), 200);
    }
}
