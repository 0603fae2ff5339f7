//! What was found, in the form that was asked for: one file a format.

mod concise;
mod escape;
mod excerpt;
mod fingerprint;
mod fix;
mod full;
mod json;
mod reference;
mod summary;
#[cfg(test)]
mod tests;
pub mod walk;

use std::io::{self, Write};

use rayon::prelude::*;

pub use concise::concise;
pub use escape::{is_plain, printable};
pub use fingerprint::fingerprint;
pub use full::full;
pub(crate) use full::handler;
pub use json::{json, page};
pub use reference::reference;
pub use summary::{mended, statistics, summary};

use crate::Checked;
use crate::rules::Finding;

/// How a report for people looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether it is coloured.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
}

/// How many findings are rendered before they are written: enough to keep every thread busy, few enough to hold in memory.
const BATCH: usize = 2048;

/// Renders every finding, on all threads, and writes them in order.
fn write_each(out: &mut dyn Write, checked: &Checked, render: impl Fn(&Finding, &mut String) + Sync) -> io::Result<()> {
    for batch in checked.findings.chunks(BATCH) {
        let chunk = batch.len().div_ceil(rayon::current_num_threads().max(1) * 4).max(1);
        let texts: Vec<String> = batch
            .par_chunks(chunk)
            .map(|findings| {
                let mut text = String::with_capacity(findings.len() * 256);
                for finding in findings {
                    render(finding, &mut text);
                }
                text
            })
            .collect();
        for text in texts {
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}
