//! The terminal that progress is drawn on, behind the same queue as everything else on the standard error.

use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;

use crate::standard_error::StandardError;

/// Collects a drawing and queues it whole: whoever draws never waits for the terminal.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    drawn: Mutex<String>,
}

impl Drawing {
    fn add(&self, add: impl FnOnce(&mut String)) -> io::Result<()> {
        // Text is whole after every change.
        add(&mut self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// `ESC [ n letter`, of ECMA-48.
    fn control(&self, count: usize, letter: char) -> io::Result<()> {
        match count {
            0 => Ok(()),
            // A text takes all of it.
            count => self.add(|drawn| write!(drawn, "\u{1b}[{count}{letter}").unwrap_or_default()),
        }
    }
}

impl TermLike for Drawing {
    fn width(&self) -> u16 {
        console::Term::stderr().size().1
    }

    fn height(&self) -> u16 {
        console::Term::stderr().size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.control(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.control(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.control(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.control(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(|drawn| {
            drawn.push_str(text);
            drawn.push('\n');
        })
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(|drawn| drawn.push_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        if !drawn.is_empty() {
            StandardError::draw(drawn.into_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_text_and_control_sequences() {
        let drawing = Drawing::default();
        drawing.move_cursor_up(2).unwrap();
        drawing.move_cursor_left(0).unwrap();
        drawing.clear_line().unwrap();
        drawing.write_line("one").unwrap();
        drawing.write_str("two").unwrap();
        assert_eq!(*drawing.drawn.lock().unwrap(), "\u{1b}[2A\r\u{1b}[2Kone\ntwo");
    }
}
