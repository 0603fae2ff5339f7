//! The steps from bytes to findings, each measured alone over the same 2,000 virtual hosts, and the whole.
//!
//! One thread, unless a step itself uses more: set `RAYON_NUM_THREADS=1` to see what they cost together.

mod corpus;

use std::path::Path;

use corpus::Dialect;
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use proxylint::gateway::Server;
use proxylint::project::{Root, Store};
use proxylint::{apache, nginx};
use tempfile::TempDir;

const SITES: usize = 2_000;

fn main() {
    divan::main();
}

/// A configuration on disk, and its size.
struct Deployment {
    directory: TempDir,
    bytes: usize,
}

impl Deployment {
    fn new(dialect: Dialect) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let bytes = corpus::write(dialect, SITES, directory.path()).expect("a place to write to");
        Self { directory, bytes }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn server(dialect: Dialect) -> Server {
    match dialect {
        Dialect::Nginx => Server::Nginx,
        Dialect::Apache => Server::Apache,
    }
}

/// A store with the main file of `deployment`, and that file as a root.
fn open(dialect: Dialect, deployment: &Deployment) -> (Store, Root) {
    let mut store = Store::default();
    store.add_base(deployment.path()).expect("the directory is there");
    let main = deployment.path().join(dialect.main());
    let source = store.load(&[main], server(dialect)).remove(0).expect("the main file is there");
    let root = Root { server: server(dialect), source, base: deployment.path().to_path_buf(), is_main: true };
    (store, root)
}

/// Bytes to trees, in memory, on one thread.
#[divan::bench(args = Dialect::ALL)]
fn parse(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let texts: Vec<String> = corpus::files(dialect, SITES).map(|(_, text)| text).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for text in &texts {
            match dialect {
                Dialect::Nginx => drop(black_box(nginx::parse(text.as_bytes(), false))),
                Dialect::Apache => drop(black_box(apache::parse(text.as_bytes(), false))),
            }
        }
    });
}

/// Reading the files and following the includes.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn resolve(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    bencher.counter(BytesCount::new(deployment.bytes)).with_inputs(|| open(dialect, &deployment)).bench_local_values(
        |(mut store, root)| match dialect {
            Dialect::Nginx => drop(black_box(nginx::resolve(&mut store, &root))),
            Dialect::Apache => drop(black_box(apache::resolve(&mut store, &root))),
        },
    );
}

/// Trees to the model of what the server does.
#[divan::bench(args = Dialect::ALL, sample_count = 20)]
fn lower(bencher: Bencher<'_, '_>, dialect: Dialect) {
    let deployment = Deployment::new(dialect);
    let (mut store, root) = open(dialect, &deployment);
    let bencher = bencher.counter(BytesCount::new(deployment.bytes)).counter(ItemsCount::new(SITES));
    match dialect {
        Dialect::Nginx => {
            let resolved = nginx::resolve(&mut store, &root);
            bencher.bench_local(|| nginx::lower(&store, &root, &resolved, None));
        }
        Dialect::Apache => {
            let resolved = apache::resolve(&mut store, &root);
            bencher.bench_local(|| apache::lower(&store, &root, &resolved, None));
        }
    }
}
