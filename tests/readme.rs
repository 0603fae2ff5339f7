//! What the README tells its readers to run: the gates of its CI snippets close on a broken tree and open on a mended one.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use walkdir::WalkDir;

/// The README's snippet for the file `name`.
fn snippet(name: &str) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, from) = readme.split_once(&format!("```yaml\n# {name}\n")).unwrap_or_else(|| panic!("no snippet for {name}"));
    from.split_once("```").unwrap().0.to_owned()
}

/// The commands that a snippet runs, one step each: behind `- run:` or in a `script` list.
fn steps(snippet: &str) -> Vec<&str> {
    let lines = snippet.lines().map(|line| line.trim_start().trim_start_matches("- ").trim_start_matches("run: "));
    lines.filter(|line| ["cargo ", "proxylint "].iter().any(|program| line.starts_with(program))).collect()
}

/// A repository whose `deploy/` is the bundled example `fixture`.
fn repository(fixture: &str) -> tempfile::TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let directory = tempfile::tempdir().unwrap();
    for entry in WalkDir::new(&from) {
        let entry = entry.unwrap();
        let to = directory.path().join("deploy").join(entry.path().strip_prefix(&from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    directory
}

/// The exit code of `step` as a runner starts it: `bash -e`, in the checkout, with the installed program in `PATH`.
fn exit_code(step: &str, checkout: &Path) -> i32 {
    let program = Path::new(assert_cmd::cargo::cargo_bin!("proxylint"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-e", "-c", step]).current_dir(checkout).env("PATH", path).output().unwrap();
    output.status.code().unwrap()
}

#[test]
fn the_ci_gates_close_on_the_broken_example_and_open_on_the_mended_one() {
    for name in [".github/workflows/proxylint.yml", ".gitlab-ci.yml"] {
        let snippet = snippet(name);
        let steps = steps(&snippet);
        let [install, gate] = steps[..] else { panic!("{name}: {steps:?}") };
        assert!(install.starts_with("cargo install --locked --git "), "{name}: {install}");
        for (fixture, code) in [("openclaw", 1), ("openclaw-mended", 0)] {
            assert_eq!(exit_code(gate, repository(fixture).path()), code, "{name} on {fixture}: {gate}");
        }
    }
}
