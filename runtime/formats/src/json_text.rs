//! Parses the text of one JSON record according to RFC 8259, without extensions.
//!
//! This parser does not recurse: nesting is a stack of bits. Every byte is checked, including those of skipped values.

/// The maximum nesting depth of a record, including its own object. Deeper records are bad records.
pub const DEPTH_MAX: u32 = 128;

/// A position in a JSON text. Errors contain the position in bytes, counted from 1.
pub(super) struct Json<'a> {
    text: &'a str,
    at: usize,
}

/// A string: the text between the quotes, and whether it has escapes.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    pub(super) raw: &'a str,
    pub(super) escaped: bool,
}

/// A single value.
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'a str),
    Text(Quoted<'a>),
    List,
    Object,
}

impl<'a> Json<'a> {
    /// At the beginning of a text.
    ///
    /// # Errors
    ///
    /// Bytes that are not UTF-8.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Json<'a>, String> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Json { text, at: 0 }),
            Err(error) => Err(format!("not UTF-8 from byte {} on", error.valid_up_to() + 1)),
        }
    }

    /// Calls `entry` with each key of the object that must be the whole text. `entry` must consume the value.
    pub(super) fn object(
        &mut self,
        mut entry: impl FnMut(&mut Json<'a>, Quoted<'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        self.space();
        if self.peek() != Some(b'{') {
            // If the text is not JSON at all, report that.
            self.skip(0)?;
            self.end()?;
            return Err("not an object: a record must be a JSON object".to_owned());
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.end();
        }
        loop {
            let key = self.key()?;
            entry(self, key)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return self.end();
                }
                _ => return Err(self.expected("`,` or `}`")),
            }
            self.space();
        }
    }

    /// The value of a field of the record's object. Lists and objects are skipped.
    pub(super) fn value(&mut self) -> Result<Value<'a>, String> {
        Ok(match self.peek() {
            Some(b'"') => Value::Text(self.quoted()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b'n') => self.word("null").map(|()| Value::Null)?,
            Some(b't') => self.word("true").map(|()| Value::Bool(true))?,
            Some(b'f') => self.word("false").map(|()| Value::Bool(false))?,
            Some(b'[') => self.skip(1).map(|()| Value::List)?,
            Some(b'{') => self.skip(1).map(|()| Value::Object)?,
            _ => return Err(self.expected("a value")),
        })
    }

    /// Skips a value that is nested in `outer` others.
    pub(super) fn skip(&mut self, outer: u32) -> Result<(), String> {
        let mut depth = outer;
        // The last bit says whether the innermost open value is an object.
        let mut open: u128 = 0;
        'value: loop {
            match self.peek() {
                Some(b'"') => self.quoted().map(|_| ())?,
                Some(b'-' | b'0'..=b'9') => self.number().map(|_| ())?,
                Some(b'n') => self.word("null")?,
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(bracket @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return Err(format!("nested deeper than {DEPTH_MAX} at byte {}", self.at + 1));
                    }
                    depth += 1;
                    open = open << 1 | u128::from(bracket == b'{');
                    self.at += 1;
                    self.space();
                    match (bracket, self.peek()) {
                        // It ends below.
                        (b'{', Some(b'}')) | (b'[', Some(b']')) => {}
                        (b'{', _) => {
                            self.key()?;
                            continue 'value;
                        }
                        _ => continue 'value,
                    }
                }
                _ => return Err(self.expected("a value")),
            }
            while depth > outer {
                self.space();
                let object = open & 1 == 1;
                match self.peek() {
                    // Not directly after an opening bracket: that case is handled above.
                    Some(b',') => {
                        self.at += 1;
                        self.space();
                        if object {
                            self.key()?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if object => {}
                    Some(b']') if !object => {}
                    _ => return Err(self.expected(if object { "`,` or `}`" } else { "`,` or `]`" })),
                }
                self.at += 1;
                open >>= 1;
                depth -= 1;
            }
            return Ok(());
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Only white space may follow.
    fn end(&mut self) -> Result<(), String> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the record")),
        }
    }

    /// Parses a key and its colon.
    fn key(&mut self) -> Result<Quoted<'a>, String> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let key = self.quoted()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.space();
        Ok(key)
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, String> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if let Some(b'0'..=b'9') = self.peek() {
                    return Err(format!("not JSON: the number at byte {} has a leading zero", self.at));
                }
            }
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), String> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin { Err(self.expected("a digit")) } else { Ok(()) }
    }

    /// Parses a string, starting at the opening quote.
    fn quoted(&mut self) -> Result<Quoted<'a>, String> {
        let begin = self.at + 1;
        let mut escaped = false;
        self.at = begin;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(control) => {
                    let place = self.at + 1;
                    return Err(format!(
                        "not JSON: the control character {control:#04x} at byte {place} is not escaped"
                    ));
                }
                None => return Err(format!("not JSON: the text that begins at byte {begin} is not closed")),
            }
        }
        let raw = &self.text[begin..self.at];
        self.at += 1;
        Ok(Quoted { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), String> {
        let place = self.at + 1;
        let escape = self.text.as_bytes().get(self.at + 1);
        if !matches!(escape, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
            return Err(format!("not JSON: invalid escape at byte {place}"));
        }
        self.at += 2;
        if escape != Some(&b'u') {
            return Ok(());
        }
        let lone = || format!("the escape at byte {place} is a lone surrogate, which is not a character");
        match self.four_digits()? {
            0xD800..=0xDBFF => {
                if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                    return Err(lone());
                }
                self.at += 2;
                match self.four_digits()? {
                    0xDC00..=0xDFFF => Ok(()),
                    _ => Err(lone()),
                }
            }
            0xDC00..=0xDFFF => Err(lone()),
            _ => Ok(()),
        }
    }

    fn four_digits(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            value = value << 4 | digit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
            self.at += 1;
        }
        Ok(value)
    }

    #[cold]
    fn expected(&self, what: &str) -> String {
        let place = self.at + 1;
        match self.text[self.at..].chars().next() {
            Some(found) => {
                format!("not JSON: expected {what} at byte {place}, found `{}`", weir_text::escape(&found.to_string()))
            }
            None => format!("not JSON: it ends at byte {}, expected {what}", self.at),
        }
    }
}

impl<'a> Quoted<'a> {
    /// The string's value. `scratch` is used if there are escapes.
    pub(super) fn text<'s>(self, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        if !self.escaped {
            return self.raw;
        }
        scratch.clear();
        let mut rest = self.raw;
        while let Some((plain, escape)) = rest.split_once('\\') {
            scratch.push_str(plain);
            let (character, length) = unescape(escape);
            scratch.push(character);
            rest = &escape[length..];
        }
        scratch.push_str(rest);
        scratch
    }
}

/// The character of a checked escape, and the escape's length without its backslash.
fn unescape(escape: &str) -> (char, usize) {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    let unicode = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    match escape.as_bytes().first() {
        Some(b'b') => ('\u{8}', 1),
        Some(b'f') => ('\u{c}', 1),
        Some(b'n') => ('\n', 1),
        Some(b'r') => ('\r', 1),
        Some(b't') => ('\t', 1),
        Some(b'u') => match unit(1) {
            high @ 0xD800..=0xDBFF => {
                let low = unit(7);
                (unicode(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF)), 11)
            }
            code => (unicode(code), 5),
        },
        Some(&other) => (char::from(other), 1),
        None => (char::REPLACEMENT_CHARACTER, 0),
    }
}

/// The number of bytes before the first quote, backslash or control character. Examines eight at a time, because most bytes of most
/// records are in strings.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of each zero byte; bits after the first zero byte may be wrong.
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = controls | zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let rest = &bytes[words.len() * 8..];
    let special = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    words.len() * 8 + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// The keys and values of an object, or the error.
    fn read(text: &[u8]) -> Result<String, String> {
        let mut found = String::new();
        let mut scratch = String::new();
        Json::new(text)?.object(|json, key| {
            write!(found, "{}=", key.text(&mut scratch)).unwrap();
            match json.value()? {
                Value::Null => found.push_str("null"),
                Value::Bool(value) => write!(found, "{value}").unwrap(),
                Value::Number(text) => found.push_str(text),
                Value::Text(text) => write!(found, "{:?}", text.text(&mut scratch)).unwrap(),
                Value::List => found.push_str("[]"),
                Value::Object => found.push_str("{}"),
            }
            found.push(' ');
            Ok(())
        })?;
        Ok(found)
    }

    fn check(texts: &[&str], expect: Expect) {
        let found: Vec<String> = texts.iter().map(|text| read(text.as_bytes()).unwrap_or_else(|error| error)).collect();
        expect.assert_eq(&found.join("\n"));
    }

    #[test]
    fn objects() {
        check(
            &[
                "{}",
                " { \"a\" : 1 , \"b\":[{}, [], [1,{\"c\":null}]],\"c\":{\"d\":{}} }\r\n",
                r#"{"n":null,"t":true,"f":false,"x":-0.5e+10,"s":"\ud834\udd1e\"\\\/\b\f\n\r\té\u00e9","\u0061":0}"#,
            ],
            expect![[r#"

                a=1 b=[] c={} 
                n=null t=true f=false x=-0.5e+10 s="𝄞\"\\/\u{8}\u{c}\n\r\téé" a=0 "#]],
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        check(
            &[
                "",
                "[1]",
                "5",
                "nul",
                "{\"a\":1,}",
                "{\"a\":01}",
                "{\"a\":2.}",
                "{\"a\":+1}",
                "{\"a\":1 \"b\":2}",
                "{\"a\" 1}",
                "{a:1}",
                "{\"a\":[1,]}",
                "{\"a\":[1}",
                "{\"a\":{\"b\":1,}}",
                "{\"a\":\"\t\"}",
                "{\"a\":\"b",
                r#"{"a":"\x"}"#,
                r#"{"a":"\u12G4"}"#,
                r#"{"a":"\ud834"}"#,
                r#"{"a":["\udd1e"]}"#,
                r#"{"a":["\ud834\u0041"]}"#,
                "{\"a\":1}{\"a\":2}",
                "{\"a\":1} // no",
                "{\"a\":NaN}",
                "\u{feff}{}",
            ],
            expect![[r#"
                not JSON: it ends at byte 0, expected a value
                not an object: a record must be a JSON object
                not an object: a record must be a JSON object
                not JSON: expected a value at byte 1, found `n`
                not JSON: expected a key in double quotes at byte 8, found `}`
                not JSON: the number at byte 6 has a leading zero
                not JSON: expected a digit at byte 8, found `}`
                not JSON: expected a value at byte 6, found `+`
                not JSON: expected `,` or `}` at byte 8, found `"`
                not JSON: expected `:` at byte 6, found `1`
                not JSON: expected a key in double quotes at byte 2, found `a`
                not JSON: expected a value at byte 9, found `]`
                not JSON: expected `,` or `]` at byte 8, found `}`
                not JSON: expected a key in double quotes at byte 13, found `}`
                not JSON: the control character 0x09 at byte 7 is not escaped
                not JSON: the text that begins at byte 6 is not closed
                not JSON: invalid escape at byte 7
                not JSON: expected four hexadecimal digits at byte 11, found `G`
                the escape at byte 7 is a lone surrogate, which is not a character
                the escape at byte 8 is a lone surrogate, which is not a character
                the escape at byte 8 is a lone surrogate, which is not a character
                not JSON: expected the end of the record at byte 8, found `{`
                not JSON: expected the end of the record at byte 9, found `/`
                not JSON: expected a value at byte 6, found `N`
                not JSON: expected a value at byte 1, found `\u{feff}`"#]],
        );
        assert_eq!(read(b"{\"a\":\"\xff\"}"), Err("not UTF-8 from byte 7 on".to_owned()));
    }

    #[test]
    fn nesting_is_limited_and_not_recursed_into() {
        let nested = |depth: usize, open: &str, close: &str| {
            format!("{{\"a\":{}1{}}}", open.repeat(depth - 1), close.repeat(depth - 1))
        };
        for (open, close) in [("[", "]"), ("{\"b\":", "}"), ("[{\"b\":", "}]")] {
            let step = open.matches(['[', '{']).count();
            let most = DEPTH_MAX as usize / step;
            assert!(read(nested(most, open, close).as_bytes()).is_ok(), "{open}");
            for depth in [most + 1, 1_000_000] {
                let error = read(nested(depth, open, close).as_bytes()).unwrap_err();
                assert!(error.starts_with("nested deeper than 128"), "{open}: {error}");
            }
        }
        let error = read("[".repeat(1_000_000).as_bytes()).unwrap_err();
        assert!(error.starts_with("nested deeper than 128"), "{error}");
    }

    #[test]
    fn special_bytes_are_found_wherever_they_are() {
        for special in [b'"', b'\\', 0, 1, 0x1f, b'\n'] {
            for at in 0..40 {
                for filler in [b' ', b'a', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                    let mut bytes = vec![filler; 40];
                    assert_eq!(plain(&bytes), 40);
                    bytes[at] = special;
                    assert_eq!(plain(&bytes), at, "{special:#x} among {filler:#x}");
                    bytes[at..].fill(special);
                    assert_eq!(plain(&bytes), at, "{special:#x} behind {filler:#x}");
                }
            }
        }
    }

    /// The result of serde_json for a whole text, including surrogates and depth.
    fn peer(text: &[u8]) -> Option<serde_json::Value> {
        serde_json::from_slice(text).ok().filter(serde_json::Value::is_object)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

        #[test]
        fn serde_json_agrees(text in r#"(\{"a":)?[\[\]{},:" \\01.eE+\-untrflasbd\n]{0,24}\}?"#) {
            // serde_json refuses numbers that a double cannot hold; here, the field's type decides.
            let finite = !text.contains(['e', 'E']);
            if finite {
                prop_assert_eq!(read(text.as_bytes()).is_ok(), peer(text.as_bytes()).is_some(), "{}", text);
            }
        }

        #[test]
        fn texts_come_back(text: String) {
            let json = serde_json::json!({ "k": text }).to_string();
            prop_assert_eq!(read(json.as_bytes()), Ok(format!("k={text:?} ")));
        }

        #[test]
        fn noise_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(read(&bytes).is_ok(), peer(&bytes).is_some());
        }
    }
}
