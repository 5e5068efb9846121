//! Problems of query files, as frames carry them.

use weir_frame::DraftProblem;
use weir_plan::Problem;

/// Problems as they are sent.
pub(crate) fn lines(problems: &[Problem]) -> Vec<DraftProblem> {
    let line = |problem: &Problem| DraftProblem {
        line: u32::try_from(problem.line).unwrap_or(u32::MAX),
        text: problem.to_string(),
    };
    problems.iter().map(line).collect()
}
