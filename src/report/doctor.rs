//! The report of a diagnosis: facts in aligned lines, a mark for every check, and the number of problems; or one JSON
//! object.
//!
//! Colours are written as escape codes, which the caller strips if they are not wanted.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::number::bytes;
use crate::doctor::{Cores, Diagnosis, Engines, Finding, Library, Limit, Machine, Memory, Verdict};

/// The name and version of the JSON object's layout.
pub const SCHEMA: &str = "perceptor.doctor/1";

/// Everything there is to say about a diagnosis, as in the JSON object.
#[derive(Debug, Serialize)]
pub struct DoctorReport<'a> {
    schema: &'static str,
    /// The number of findings that something is wrong.
    wrong: usize,
    /// The number of findings that are warnings.
    warnings: usize,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

impl<'a> DoctorReport<'a> {
    /// The report of a diagnosis.
    pub fn new(diagnosis: &'a Diagnosis) -> DoctorReport<'a> {
        DoctorReport {
            schema: SCHEMA,
            wrong: diagnosis.count(Verdict::Wrong),
            warnings: diagnosis.count(Verdict::Warning),
            diagnosis,
        }
    }

    /// Writes one JSON object.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        super::write_json(out, self)
    }

    /// Writes the report as text.
    ///
    /// # Errors
    /// Returns the errors of `out`.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let bold = Style::new().bold();
        let build = &self.diagnosis.build;
        writeln!(
            out,
            "{bold}perceptor {}{bold:#} ({}, {} build, {}, {})\n",
            build.version, build.revision, build.mode, build.target, build.features
        )?;
        for (name, text) in self.facts() {
            writeln!(out, "  {name:<13}{text}")?;
        }
        writeln!(out)?;
        let width = self.diagnosis.findings.iter().map(|it| title(it).len());
        let width = width.max().unwrap_or(0) + 2;
        for finding in &self.diagnosis.findings {
            write_finding(out, finding, width)?;
        }
        writeln!(out, "\n{bold}{}{bold:#}", self.verdict())
    }

    /// The lines of facts with their names; a fact without a name belongs to the one above.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let Diagnosis {
            machine,
            blas,
            engines,
            environment,
            ..
        } = self.diagnosis;
        let mut facts = vec![
            ("processor", processor(machine)),
            ("", machine.instruction_sets.join(" ")),
            ("cores", cores(&machine.cores)),
            ("memory", memory(&machine.memory)),
            ("huge pages", huge_pages(machine)),
            ("BLAS", library(blas)),
            ("", blas.path.clone().unwrap_or_default()),
            ("engine", engine(engines)),
            ("", available_engines(engines)),
        ];
        let mut name = "environment";
        for variable in environment {
            facts.push((name, format!("{}={}", variable.name, variable.value)));
            name = "";
        }
        facts.retain(|(_, text)| !text.is_empty());
        facts
    }

    /// The last line: how many problems there are.
    fn verdict(&self) -> String {
        let warnings = match self.warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            more => format!(", {more} warnings"),
        };
        match self.wrong {
            0 => format!("nothing is wrong{warnings}"),
            1 => format!("1 thing is wrong{warnings}"),
            more => format!("{more} things are wrong{warnings}"),
        }
    }
}

fn title(finding: &Finding) -> String {
    let check = finding
        .check
        .replace('-', " ")
        .replace("blas", "BLAS")
        .replace("cpu", "CPU");
    match finding.engine {
        Some(engine) => format!("{check}, {engine}"),
        None => check,
    }
}

fn write_finding(out: &mut dyn Write, finding: &Finding, width: usize) -> io::Result<()> {
    let (mark, colour) = match finding.verdict {
        Verdict::Ok => ("✓", AnsiColor::Green),
        Verdict::Warning => ("!", AnsiColor::Yellow),
        Verdict::Wrong => ("✗", AnsiColor::Red),
        Verdict::Skipped => ("-", AnsiColor::BrightBlack),
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    writeln!(
        out,
        "  {style}{mark}{style:#} {:<width$}{}",
        title(finding),
        finding.found
    )?;
    match &finding.cure {
        Some(cure) => writeln!(out, "    {:<width$}{style}→{style:#} {cure}", ""),
        None => Ok(()),
    }
}

fn processor(machine: &Machine) -> String {
    let platform = format!("{} {}", machine.system, machine.architecture);
    match &machine.processor {
        Some(name) => format!("{name}, {platform}"),
        None => platform,
    }
}

fn cores(cores: &Cores) -> String {
    let usable = cores.usable;
    let mut text = match cores.machine {
        Some(machine) => format!("{usable} of {machine} for this process"),
        None => format!("{usable} for this process"),
    };
    text += match cores.limited_by {
        Some(Limit::Affinity) => ", limited by CPU affinity",
        Some(Limit::Quota) => ", limited by the CPU quota of its control group",
        None => "",
    };
    if let Some(quota) = cores.quota {
        text += &format!(", quota {quota:.2}");
    }
    // The hardware threads of a core share its multipliers.
    match (cores.physical, cores.machine) {
        (Some(physical), Some(machine)) if physical < machine => {
            text + &format!("; the machine's are hardware threads of {physical}")
        }
        _ => text,
    }
}

fn memory(memory: &Memory) -> String {
    let size = |size: u64| bytes(usize::try_from(size).unwrap_or(usize::MAX));
    let parts = [
        memory.available.map(|it| format!("{} available", size(it))),
        memory.total.map(|it| format!("of {}", size(it))),
        memory
            .limit
            .map(|it| format!("limited to {} by the control group", size(it))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn huge_pages(machine: &Machine) -> String {
    let meaning = match machine.huge_pages.as_deref() {
        Some("always") => "always: used for every large buffer",
        Some("madvise") => "madvise: used for buffers that ask for them, as perceptor's do",
        Some("never") => "never: products with large weights are slower",
        Some(other) => other,
        None => "",
    };
    meaning.to_owned()
}

fn library(blas: &Library) -> String {
    let mut parts = vec![match &blas.version {
        Some(version) => format!("{} {version}", blas.name),
        None => blas.name.to_owned(),
    }];
    parts.extend(
        blas.kernel
            .as_ref()
            .map(|kernel| format!("{kernel} kernels")),
    );
    parts.extend(blas.threading.map(str::to_owned));
    parts.extend(blas.threads.map(|threads| match threads {
        1 => "1 thread a call".to_owned(),
        more => format!("{more} threads a call"),
    }));
    parts.push(blas.linkage.to_owned());
    parts.join(", ")
}

/// The engine in use, and the one that auto takes.
fn engine(engines: &Engines) -> String {
    match (engines.takes, engines.auto_takes) {
        (Some(takes), _) if takes != engines.asked => {
            format!("{takes}, chosen by {}", engines.asked)
        }
        (Some(takes), Some(auto)) => format!("{takes}; auto takes {auto}"),
        (Some(takes), None) => takes.to_owned(),
        (None, _) => format!("{}, which is not available", engines.asked),
    }
}

fn available_engines(engines: &Engines) -> String {
    let here = engines
        .all
        .iter()
        .filter_map(|fact| fact.runs_on.as_deref());
    format!("available: {}", here.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::EngineChoice;
    use crate::doctor::{Question, Variable, diagnose};
    use crate::message::Message;

    fn diagnosis() -> Diagnosis {
        let mut diagnosis = diagnose(&Question {
            engine: EngineChoice::Portable,
            threads: None,
            cache_folder: std::env::temp_dir(),
        });
        let finding = |check, verdict, cure: Option<&str>| Finding {
            check,
            engine: None,
            verdict,
            found: "as found".into(),
            cure: cure.map(Message::from),
        };
        diagnosis.environment = ["A", "B"]
            .map(|name| Variable {
                name: name.to_owned(),
                value: "1".to_owned(),
            })
            .to_vec();
        diagnosis.findings = vec![
            finding("blas-threads", Verdict::Ok, None),
            finding("cpu-quota", Verdict::Warning, Some("more")),
            finding("build", Verdict::Wrong, Some("another")),
            finding("gradient", Verdict::Skipped, None),
        ];
        diagnosis
    }

    #[test]
    fn text_marks_every_check_and_has_the_cure_below() {
        let mut colours = Vec::new();
        DoctorReport::new(&diagnosis())
            .write_text(&mut colours)
            .expect("memory");
        let text = anstream::adapter::strip_bytes(&colours).into_vec();
        let text = String::from_utf8(text).expect("text");
        let (_, checks) = text.split_once("\n\n  ✓").expect("checks behind the facts");
        let expected = [
            " BLAS threads  as found",
            "  ! CPU quota     as found",
            "                  → more",
            "  ✗ build         as found",
            "                  → another",
            "  - gradient      as found",
            "",
            "1 thing is wrong, 1 warning",
        ];
        assert_eq!(checks.lines().collect::<Vec<_>>(), expected);
        assert!(
            text.contains("  environment  A=1\n               B=1\n"),
            "{text}"
        );
    }

    #[test]
    fn limits_are_named() {
        let mut four = Cores {
            usable: 2,
            machine: Some(8),
            physical: Some(4),
            affinity: Some(8),
            quota: Some(2.5),
            limited_by: Some(Limit::Quota),
        };
        assert_eq!(
            cores(&four),
            "2 of 8 for this process, limited by the CPU quota of its control group, quota 2.50; \
             the machine's are hardware threads of 4"
        );
        four = Cores {
            machine: None,
            quota: None,
            limited_by: None,
            ..four
        };
        assert_eq!(cores(&four), "2 for this process");
    }
}
