//! Writes the configuration that the benchmarks measure: `cargo run --release --example generate -- nginx|apache DIRECTORY SITES`.

mod corpus;

use std::path::Path;
use std::process::ExitCode;

use corpus::Dialect;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dialect, directory, sites] = arguments.as_slice() else {
        eprintln!("usage: generate nginx|apache DIRECTORY SITES");
        return ExitCode::from(2);
    };
    let named = Dialect::ALL.into_iter().find(|known| known.to_string() == *dialect);
    let (Some(dialect), Ok(sites)) = (named, sites.parse()) else {
        eprintln!("not a dialect and a number of sites: {dialect} {sites}");
        return ExitCode::from(2);
    };
    match corpus::write(dialect, sites, Path::new(directory)) {
        Ok(bytes) => {
            println!("{sites} sites, {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{directory}: {error}");
            ExitCode::from(2)
        }
    }
}
