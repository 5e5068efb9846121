//! An attack that is repeated for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::attempt::Attempt;
use crate::case::{Case, Happened, Judged};
use crate::ground::Ground;

/// What became of an attack that was repeated for a while.
#[derive(Clone, Debug)]
pub(crate) struct Assault {
    /// The first attempt that was not as expected, or else the first.
    pub(crate) judged: Judged,
    pub(crate) attempts: u64,
}

/// Attacks for this long, and at least once. A guest that was never ended is a finding like others.
pub(crate) fn assault(ground: &Ground, case: &Case, bytes: Arc<Vec<u8>>, during: Duration) -> Assault {
    let attacker = ground.attacker(&case.name);
    let expected = case.expected.clone();
    let until = Instant::now() + during;
    let mut attacks = ground.spawn(async move {
        let mut first: Option<Judged> = None;
        let mut attempts = 0;
        loop {
            let judged = expected.judge(&attacker.attempt(&bytes).await);
            attempts += 1;
            let kept = match first {
                Some(first) if first.wrong.is_some() || judged.wrong.is_none() => first,
                _ => judged,
            };
            if Instant::now() >= until {
                return Assault { judged: kept, attempts };
            }
            first = Some(kept);
        }
    });
    let patience = ground.patience() + during;
    let broken = |text: String| case.expected.judge(&Attempt::Broken { text });
    match ground.block_on(async { tokio::time::timeout(patience, &mut attacks).await }) {
        Ok(Ok(assault)) => assault,
        Ok(Err(panicked)) => Assault { judged: broken(format!("a task of the host ended: {panicked}")), attempts: 1 },
        Err(_) => {
            attacks.abort();
            let text = format!("still running after {} s", patience.as_secs());
            let happened = Happened { how: "never_ended", code: None, text };
            Assault {
                judged: Judged { happened, end: None, wrong: Some("it was never ended".to_owned()) },
                attempts: 1,
            }
        }
    }
}
