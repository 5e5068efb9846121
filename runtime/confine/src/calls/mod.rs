//! The filter of system calls (seccomp), made of lists.

mod absent;
mod allowed;
mod arguments;
mod never;

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use self::arguments::{Refused, Test};
use crate::{Enforced, Role};

/// Leaves the calls of a role, for good. Calls of another kind than the processor's own (i386 on x86-64) end the process.
///
/// `ends_unknown` is whether a call that is in no list ends the process, and says its number, instead of getting `ENOSYS`.
pub(crate) fn refuse(role: Role, ends_unknown: bool) -> Enforced {
    let own = std::process::id();
    let kill = SeccompAction::KillProcess;
    // Where several filters disagree, the kernel does the gravest thing that one of them says.
    let filters = match role {
        Role::TenantWorker => listed(arguments::of_a_tenant_worker(own), allowed::TENANT_WORKER, ends_unknown),
        Role::Connector => listed(arguments::of_a_connector(own), allowed::CONNECTOR, ends_unknown),
        Role::CompileWorker => vec![
            Filter::refusing(arguments::of_a_compile_worker(own), kill.clone()),
            Filter::of(allowed::COMPILE_WORKER, SeccompAction::Allow, kill),
        ],
    };
    let programs: Result<Vec<BpfProgram>, BackendError> = filters.into_iter().map(Filter::program).collect();
    let Ok(programs) = programs else { return Enforced::No };
    // The last one refuses to take another.
    match programs.iter().try_for_each(|program| apply_filter(program)) {
        Ok(()) => Enforced::Fully,
        Err(_) => Enforced::No,
    }
}

/// Ended by what no worker needs, refused by argument, and without what is not in the list.
fn listed(refused: Vec<Refused>, calls: &[&[i64]], ends_unknown: bool) -> Vec<Filter> {
    let mut filters = vec![
        Filter::of(never::NEVER, SeccompAction::KillProcess, SeccompAction::Allow),
        Filter::refusing(refused, errno(libc::EPERM)),
        Filter::of(calls, SeccompAction::Allow, errno(libc::ENOSYS)).and_when(allowed::PRCTL, SeccompAction::Allow),
    ];
    if ends_unknown {
        // Taken on first: the last one refuses to take another.
        let taking_on: &[i64] = &[libc::SYS_prctl, libc::SYS_seccomp];
        let known = [calls, absent::ABSENT, never::NEVER, &[taking_on]].concat();
        filters.insert(0, Filter::of(&known, SeccompAction::Allow, SeccompAction::Trap));
    }
    filters
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

/// Calls with the tests of their arguments, each list joined by "and", the lists by "or"; what to do with them, and with others.
struct Filter {
    rules: BTreeMap<i64, Vec<Vec<Test>>>,
    matched: SeccompAction,
    others: SeccompAction,
}

impl Filter {
    /// Whatever the arguments.
    fn of(calls: &[&[i64]], matched: SeccompAction, others: SeccompAction) -> Filter {
        let rules = calls.iter().copied().flatten().map(|&call| (call, Vec::new())).collect();
        Filter { rules, matched, others }
    }

    fn refusing(refused: Vec<Refused>, matched: SeccompAction) -> Filter {
        let rules = refused.into_iter().map(|refused| (refused.call, refused.when)).collect();
        Filter { rules, matched, others: SeccompAction::Allow }
    }

    fn and_when(mut self, (call, tests): (i64, &[Test]), action: SeccompAction) -> Filter {
        debug_assert!(self.matched == action, "a filter has one action");
        self.rules.insert(call, vec![tests.to_vec()]);
        self
    }

    fn program(self) -> Result<BpfProgram, BackendError> {
        let rule = |tests: Vec<Test>| {
            SeccompRule::new(tests.into_iter().map(Test::condition).collect::<Result<_, BackendError>>()?)
        };
        let rules = self.rules.into_iter().map(|(call, when)| {
            let rules = when.into_iter().map(rule).collect::<Result<Vec<_>, BackendError>>()?;
            Ok((call, rules))
        });
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        SeccompFilter::new(rules.collect::<Result<_, BackendError>>()?, self.others, self.matched, arch)?.try_into()
    }
}

impl Test {
    fn condition(self) -> Result<SeccompCondition, BackendError> {
        use SeccompCmpArgLen::{Dword, Qword};
        let (argument, length, operator, value) = match self {
            Test::Is(argument, value) => (argument, Dword, SeccompCmpOp::Eq, value),
            Test::IsNot(argument, value) => (argument, Dword, SeccompCmpOp::Ne, value),
            Test::IsNotZero(argument) => (argument, Qword, SeccompCmpOp::Ne, 0),
            Test::Part(argument, mask, value) => (argument, Dword, SeccompCmpOp::MaskedEq(mask.into()), value),
        };
        SeccompCondition::new(argument, length, operator, value.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_call_is_in_two_lists() {
        let set = |lists: &[&[i64]]| lists.iter().copied().flatten().copied().collect::<Vec<_>>();
        let absent: BTreeSet<_> = set(absent::ABSENT).into_iter().collect();
        for lists in [allowed::TENANT_WORKER, allowed::CONNECTOR, allowed::COMPILE_WORKER, never::NEVER, absent::ABSENT]
        {
            let calls = set(lists);
            assert_eq!(calls.iter().collect::<BTreeSet<_>>().len(), calls.len(), "{calls:?}");
        }
        let never: BTreeSet<_> = set(never::NEVER).into_iter().collect();
        let allowed: BTreeSet<_> = set(allowed::TENANT_WORKER).into_iter().collect();
        let connector: BTreeSet<_> = set(allowed::CONNECTOR).into_iter().collect();
        assert_eq!(never.intersection(&connector).count(), 0);
        assert_eq!(absent.intersection(&connector).count() + absent.intersection(&never).count(), 0);
        assert!(allowed.is_subset(&connector));
        // A call of no list is refused by its own error, whatever rules its arguments have.
        for refused in arguments::of_a_tenant_worker(1) {
            assert!(allowed.contains(&refused.call), "{}", refused.call);
        }
        for refused in arguments::of_a_connector(1) {
            assert!(connector.contains(&refused.call), "{}", refused.call);
        }
        let compile: BTreeSet<_> = set(allowed::COMPILE_WORKER).into_iter().collect();
        for refused in arguments::of_a_compile_worker(1) {
            assert!(!refused.when.is_empty() && compile.contains(&refused.call), "{}", refused.call);
        }
        // A compile worker has nothing that a tenant's worker has not.
        assert!(compile.is_subset(&allowed));
    }
}
