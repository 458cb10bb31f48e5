//! What `cargo run` can run here: the packages of the workspace, their binaries and their examples.

use super::{names, read};
use std::path::Path;
use toml::{Table, Value};

/// A package of the workspace.
pub(super) struct Package {
    pub name: String,
    pub binaries: Vec<String>,
    pub examples: Vec<String>,
    /// `default-run`: what `cargo run -p NAME` runs where there are several.
    default: Option<String>,
}

impl Package {
    /// Whether `cargo run -p NAME` knows what to run.
    pub fn runs(&self) -> bool {
        self.default.is_some() || self.binaries.len() == 1
    }
}

/// The members of the workspace under `root`.
pub(super) fn packages(root: &Path) -> Vec<Package> {
    let workspace = manifest(root, "Cargo.toml").unwrap_or_default();
    let members = workspace.get("workspace").and_then(|table| table.get("members")?.as_array());
    let members = members.into_iter().flatten().filter_map(Value::as_str);
    members.filter_map(|member| package(root, member)).collect()
}

fn package(root: &Path, member: &str) -> Option<Package> {
    let manifest = manifest(root, &format!("{member}/Cargo.toml"))?;
    let about = |key| Some(manifest.get("package")?.get(key)?.as_str()?.to_owned());
    let name = about("name")?;
    let programs = |folder: &str| -> Vec<_> {
        let files = names(root, &format!("{member}/{folder}"));
        files.iter().map(|file| file.strip_suffix(".rs").unwrap_or(file).to_owned()).collect()
    };
    let (mut binaries, examples) = (programs("src/bin"), programs("examples"));
    if root.join(member).join("src/main.rs").is_file() {
        binaries.push(name.clone());
    }
    Some(Package { default: about("default-run"), name, binaries, examples })
}

fn manifest(root: &Path, path: &str) -> Option<Table> {
    read(root, path).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_runs_lab() {
        let packages = packages(&judge::reading::root());
        let lab = packages.iter().find(|p| p.name == "lab").expect("lab is a member");
        assert!(lab.runs() && lab.binaries == ["lab"]);
    }
}
