//! What of the table a narrow terminal has room for.

use super::rows::HEADINGS;

/// The column of names, which is cut before it goes.
const NAME: usize = 0;

/// How far names are cut at most, in characters, as long as there is another column to do without.
const NAME_MIN: usize = 16;

/// Between two columns.
pub(super) const SPACING: usize = 2;

/// The columns that a narrow terminal does without, by their headings, the first one first. A number is shown as a whole
/// or not at all: one without its first digits would be another.
const DISPENSABLE: [&str; 9] = ["IN", "OUT", "BUSY", "TRAPS", "DONE", "STATE", "LAG", "LEFT", "ERRORS"];

/// The columns that are shown, and how wide they are.
pub(super) struct Fit {
    /// Indices of [`HEADINGS`], ascending, and widths in characters.
    pub(super) columns: Vec<(usize, usize)>,
    /// The headings of those that are not.
    pub(super) missing: Vec<&'static str>,
}

impl Fit {
    /// Of columns that want to be so wide, those for which there is room.
    pub(super) fn new(widths: [usize; HEADINGS.len()], room: usize) -> Fit {
        let mut missing = Vec::new();
        let name_min = widths[NAME].min(NAME_MIN);
        let shown =
            |missing: &[&str]| (0..HEADINGS.len()).filter(|&index| !missing.contains(&HEADINGS[index].0)).collect();
        let mut columns: Vec<usize> = shown(&missing);
        // Beside the name's.
        let others = |columns: &[usize]| columns.iter().skip(1).map(|&index| widths[index] + SPACING).sum::<usize>();
        for heading in DISPENSABLE {
            if name_min + others(&columns) <= room {
                break;
            }
            missing.push(heading);
            columns = shown(&missing);
        }
        let name = room.saturating_sub(others(&columns)).min(widths[NAME]);
        let width = |index| if index == NAME { name } else { widths[index] };
        Fit { columns: columns.into_iter().map(|index| (index, width(index))).collect(), missing }
    }
}

/// The text, its end replaced by a mark where it is longer than that.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_one_by_one_and_numbers_are_never_cut() {
        let widths = [40, 8, 11, 11, 9, 4, 6, 5, 9, 4, 11];
        let all: usize = widths.iter().sum::<usize>() + SPACING * (widths.len() - 1);
        let mut missing = 0;
        for room in (30..=all + 10).rev() {
            let Fit { columns, missing: gone } = Fit::new(widths, room);
            let total: usize = columns.iter().map(|(_, width)| width + SPACING).sum::<usize>() - SPACING;
            assert!(total <= room && (total == room || room > all), "{room}: {columns:?}");
            assert!(columns.iter().skip(1).all(|&(index, width)| width == widths[index]));
            assert!(gone.len() >= missing && gone.len() + columns.len() == widths.len(), "{room}: {gone:?}");
            missing = gone.len();
        }
        assert_eq!(Fit::new(widths, all).missing, Vec::<&str>::new());
        let narrowest = Fit::new(widths, 3);
        assert_eq!((narrowest.columns.len(), narrowest.columns[0].1), (2, 0));
        assert!(DISPENSABLE.iter().all(|gone| HEADINGS.iter().any(|(heading, _)| heading == gone)));
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!([cut("abc", 3), cut("abcd", 3), cut("é…x", 2), cut("ab", 0)], ["abc", "ab…", "é…", "…"]);
    }
}
