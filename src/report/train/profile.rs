//! How the workers spent their time: each phase's share, its rate, and that rate as a share of the peak.

use std::io::{self, Write};

use crate::bench::Peak;
use crate::bench::phases::PhaseShare;
use crate::report::number::{counted, percent};

/// Writes one line for each phase, with its share of the time as a bar.
///
/// # Errors
/// Returns the errors of `out`.
pub(super) fn write_shares(
    out: &mut dyn Write,
    shares: &[PhaseShare],
    peak: &Peak,
) -> io::Result<()> {
    /// The length of a bar for all of the time, in characters.
    const BAR: f64 = 32.0;
    writeln!(
        out,
        "profile        of the workers' time; the peak of {} is {:.0} GFLOP/s",
        counted(peak.threads, "thread"),
        peak.gflops
    )?;
    for share in shares {
        let rate = match (share.gflops, share.of_peak) {
            (Some(rate), Some(of_peak)) => {
                format!("{rate:>7.1} GFLOP/s {:>3.0} % of peak", 100.0 * of_peak)
            }
            _ => " ".repeat(29),
        };
        let bar = "▇".repeat((share.share * BAR).round() as usize);
        let (name, part) = (share.phase.name(), percent(share.share));
        let line = format!("{:<14} {name:<10} {part:>8}  {rate}  {bar}", "");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::phases::shares;
    use crate::train::{Phase, Profile};
    use std::time::Duration;

    fn profile() -> (Profile, Peak) {
        let mut profile = Profile::default();
        profile.add(Phase::Forward, Duration::from_secs(6));
        profile.add_flops(Phase::Forward, 3e11);
        profile.add(Phase::Waiting, Duration::from_secs(2));
        let peak = Peak {
            threads: 2,
            gflops: 400.0,
            samples: Vec::new(),
        };
        (profile, peak)
    }

    #[test]
    fn the_rate_of_a_phase_is_that_of_all_workers_together() {
        let (profile, peak) = profile();
        let found = shares(&profile, &peak);
        let of = |phase| {
            let share = found.iter().find(|share| share.phase == phase);
            share.expect("a phase of every run")
        };
        let forward = of(Phase::Forward);
        // 300 GFLOP in 6 s of worker time, which is 3 s of two workers.
        assert_eq!((forward.seconds, forward.share), (6.0, 0.75));
        assert_eq!((forward.gflops, forward.of_peak), (Some(100.0), Some(0.25)));
        let waiting = of(Phase::Waiting);
        assert_eq!((waiting.share, waiting.gflops), (0.25, None));
    }

    #[test]
    fn every_phase_has_a_line_but_optional_ones_only_if_they_took_time() {
        let (mut profile, peak) = profile();
        let optional = || Phase::ALL.into_iter().filter(|phase| phase.is_optional());
        let usual = shares(&profile, &peak);
        assert_eq!(usual.len(), Phase::ALL.len() - optional().count());
        optional().for_each(|phase| profile.add(phase, Duration::from_nanos(1)));
        let mut out = Vec::new();
        write_shares(&mut out, &shares(&profile, &peak), &peak).expect("memory");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 1 + Phase::ALL.len());
        assert_eq!(
            lines[1 + Phase::Forward as usize],
            format!(
                "forward     75.00 %    100.0 GFLOP/s  25 % of peak  {}",
                "▇".repeat(24)
            )
        );
    }
}
