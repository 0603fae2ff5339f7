//! The steps from bytes to findings, each measured alone over the same 2,000 virtual hosts, and the whole.
//!
//! `parse` and `lower` run on one thread; the others use what they use in a real run. `RAYON_NUM_THREADS=1` shows them on one.

mod corpus;

use corpus::Dialect;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use proxylint::facts::{Declared, View};
use proxylint::rules::{self, Options};
use proxylint::{Request, apache, nginx};
use tempfile::TempDir;

const SITES: usize = 2_000;

fn main() {
    divan::main();
}

/// A configuration on disk.
struct Deployment {
    directory: TempDir,
    bytes: BytesCount,
}

impl Deployment {
    fn new(dialect: Dialect) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let bytes = corpus::write(dialect, SITES, directory.path()).expect("a place to write to");
        Self { directory, bytes: BytesCount::new(bytes) }
    }

    fn request(&self) -> Request {
        Request { paths: vec![self.directory.path().to_path_buf()], isolated: true, ..Request::default() }
    }
}

/// Bytes to trees, in memory.
#[divan::bench(args = Dialect::ALL)]
fn parse(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let texts: Vec<String> = corpus::files(dialect, SITES).map(|(_, text)| text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let parse = match dialect {
        Dialect::Nginx => nginx::parse,
        Dialect::Apache => apache::parse,
    };
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for text in &texts {
            black_box(parse(text.as_bytes(), false));
        }
    });
}

/// Paths to trees: finding the files, reading and parsing them, following the includes.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn read(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    let request = deployment.request();
    bencher.counter(deployment.bytes).bench_local(|| proxylint::read(&request).expect("no settings to be wrong"));
}

/// Trees to the model of what the server does.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn lower(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    let project = proxylint::read(&deployment.request()).expect("no settings to be wrong");
    bencher.counter(deployment.bytes).bench_local(|| project.roots.iter().map(|root| project.lower(root)).collect::<Vec<_>>());
}

/// The model to findings: probes, facts and rules.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn judge(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    let project = proxylint::read(&deployment.request()).expect("no settings to be wrong");
    let gateways: Vec<_> = project.roots.iter().map(|root| project.lower(root)).collect();
    let routes: usize = gateways.iter().map(|gateway| gateway.routes.len()).sum();
    let (declared, options) = (Declared::default(), Options::default());
    bencher.counter(ItemsCount::new(routes)).bench_local(|| {
        for gateway in &gateways {
            let view = View::new(&project.store.sources, gateway, &declared);
            black_box(rules::judge(rules::builtin(), &view, &options));
        }
    });
}

/// Everything but the printing.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn check(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    let request = deployment.request();
    bencher.counter(deployment.bytes).bench_local(|| proxylint::check(&request).expect("no settings to be wrong"));
}
