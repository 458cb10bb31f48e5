//! How the tests run an experiment: as `lab claims` does, and one at a time.
//!
//! Some fill the table of descriptors, some start dozens of threads; tests beside each other would
//! measure each other.

use super::{Experiment, Unable};
use std::sync::{Mutex, PoisonError};

/// Every claim's verdict is confirmed here.
pub(super) fn confirms(experiment: &Experiment) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let findings = match (experiment.run)() {
        Ok(findings) => findings,
        Err(Unable::Here(why)) if !cfg!(target_os = "linux") => return eprintln!("{}", why.en),
        Err(Unable::Here(why)) => panic!("{}: {}", experiment.name, why.en),
        Err(Unable::Failed(why)) => panic!("{}: {why}", experiment.name),
    };
    assert_eq!(findings.len(), experiment.claims.len());
    for (claim, finding) in experiment.claims.iter().zip(findings) {
        println!(
            "{} {}\n    {}\n    {}",
            claim.note, claim.quote, finding.seen.en, finding.seen.zh
        );
        assert!(finding.agrees, "{}: {}", claim.quote, finding.seen.en);
    }
}
