//! An attack as data.

use crate::scene::{Ended, Scene, Worker};

/// A system call: its number and arguments. Text that begins with `/` becomes a pointer to it, `*` a pointer to 4 KiB of zeros.
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
}

/// `call!("name", SYS_something, argument, …)`.
macro_rules! call {
    ($name:expr, $number:ident $(, $argument:expr)* $(,)?) => {
        $crate::attack::Call { name: $name.to_string(), words: vec![libc::$number.to_string() $(, $argument.to_string())*] }
    };
    ($name:expr, =$number:expr $(, $argument:expr)* $(,)?) => {
        $crate::attack::Call { name: $name.to_string(), words: vec![$number.to_string() $(, $argument.to_string())*] }
    };
}
pub(crate) use call;

/// What must come of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// The process is ended by SIGSYS: the event `intrusion`.
    Killed,
    /// It is refused with one of these errors.
    Refused(&'static [i32]),
    /// It succeeds, and changes nothing for anybody else.
    Harmless,
}

use Expected::{Harmless, Killed, Refused};

/// The list of system calls does not have it.
pub(crate) const UNKNOWN: Expected = Refused(&[libc::ENOSYS]);
/// The arguments are refused.
pub(crate) const ARGUMENTS: Expected = Refused(&[libc::EPERM]);
/// Landlock refuses; it says EXDEV for names that would move to another folder.
pub(crate) const FILES: Expected = Refused(&[libc::EACCES, libc::EXDEV]);

/// Makes each call in a process of its own; victims and files must not change.
pub(crate) fn check(scene: &mut Scene, expected: Expected, calls: Vec<Call>) {
    check_by(scene, Scene::worker, expected, calls);
}

/// The same by another attacker.
pub(crate) fn check_by(scene: &mut Scene, by: impl Fn(&Scene) -> Worker, expected: Expected, calls: Vec<Call>) {
    for Call { name, words } in calls {
        let mut action = vec!["call".to_owned()];
        action.extend(words);
        let ended = by(scene).run(&action);
        judge(&name, expected, &ended);
        scene.check_unchanged(&name);
    }
}

fn judge(name: &str, expected: Expected, ended: &Ended) {
    let met = match expected {
        Killed => ended.signal == Some(libc::SIGSYS) && ended.answer().is_none(),
        Refused(errors) => ended.answer().is_some_and(|answer| errors.iter().any(|&error| answer == -i64::from(error))),
        Harmless => ended.answer().is_some_and(|answer| answer >= 0),
    };
    assert!(met, "{name}: expected {expected:?}, got {ended:?}");
}
