//! The line of a program that a system call was made from: of the functions on the stack, the
//! innermost that is the program's own.
//!
//! strace tells where in which file each function goes on (its option -k); the debug information
//! of that file tells the line. Where there is none (an interpreter, a program built without -g),
//! there is no line: nothing is guessed.

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, RunTimeEndian, SectionId};
use claims::measure::strace::Frame;
use object::{Object, ObjectSection, ObjectSegment};
use player::trace::Place;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is known of the files that a program consists of.
pub(super) struct Lines {
    /// Where its sources are looked for, and from where they are named.
    root: PathBuf,
    own: Own,
    files: HashMap<PathBuf, Option<Symbols>>,
    sources: HashMap<PathBuf, Vec<String>>,
}

/// Which sources are the program's own.
pub(super) enum Own {
    /// Those in this folder: the course's programs call functions that they share.
    In(PathBuf),
    /// All that are there, but for those of libraries.
    NoLibrary,
}

struct Symbols {
    context: Context<EndianSlice<'static, RunTimeEndian>>,
    /// The parts that are mapped into memory: where in the file, how long, and at which address.
    segments: Vec<(u64, u64, u64)>,
}

impl Lines {
    pub(super) fn of(root: PathBuf, own: Own) -> Self {
        Self { root, own, files: HashMap::new(), sources: HashMap::new() }
    }

    /// The line that a call with this stack was made from.
    pub(super) fn place(&mut self, stack: &[Frame]) -> Option<Place> {
        stack.iter().find_map(|frame| {
            let lines = self.symbols(&frame.file)?.lines(frame.offset);
            lines.into_iter().find_map(|(file, line)| self.own(&file, line))
        })
    }

    fn symbols(&mut self, file: &Path) -> Option<&Symbols> {
        let known = self.files.entry(file.to_owned());
        known.or_insert_with(|| Symbols::of(file)).as_ref()
    }

    /// The line, if it is in the program's own sources and can be read.
    fn own(&mut self, file: &str, line: usize) -> Option<Place> {
        // Debug information names a file as the compiler was told it.
        let path = self.root.join(file);
        let own = match &self.own {
            Own::In(folder) => path.starts_with(folder),
            Own::NoLibrary => {
                let libraries = ["/usr/", "/rustc/", "/.cargo/", "/nix/store/"];
                !libraries.iter().any(|library| file.contains(library))
            }
        };
        let name = path.strip_prefix(&self.root).unwrap_or(&path).to_str().filter(|_| own)?;
        let name = name.to_owned();
        let lines = self.sources.entry(path.clone()).or_insert_with(|| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            text.lines().map(|line| line.trim().to_owned()).collect()
        });
        let text = lines.get(line.checked_sub(1)?)?.clone();
        Some(Place { file: name, line, text })
    }
}

impl Symbols {
    fn of(file: &Path) -> Option<Self> {
        // Kept to the end: a run has few files, and the command is over soon.
        let bytes: &'static [u8] = fs::read(file).ok()?.leak();
        let object = object::File::parse(bytes).ok()?;
        let segments = object.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            (offset, length, segment.address())
        });
        let segments = segments.collect();
        let little = object.is_little_endian();
        let endian = if little { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let section = |id: SectionId| -> Result<_, object::Error> {
            let section = object.section_by_name(id.name());
            let data = section.map_or(Ok(&[][..]), |section| section.data())?;
            Ok(EndianSlice::new(data, endian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        Some(Self { context, segments })
    }

    /// The lines of the functions that are at this place of the file, one within the other where
    /// the compiler has put them together, innermost first.
    fn lines(&self, offset: u64) -> Vec<(String, usize)> {
        // It is where the call returns to: the call itself is before that.
        let offset = offset.saturating_sub(1);
        let inside =
            |(from, length, _): &&(u64, u64, u64)| (*from..from + length).contains(&offset);
        let Some((from, _, address)) = self.segments.iter().find(inside) else { return Vec::new() };
        let mut lines = Vec::new();
        let found = self.context.find_frames(offset - from + address).skip_all_loads();
        let Ok(mut frames) = found else { return lines };
        while let Ok(Some(frame)) = frames.next() {
            let place =
                frame.location.and_then(|place| Some((place.file?.to_owned(), place.line?)));
            lines.extend(place.map(|(file, line)| (file, line as usize)));
        }
        lines
    }
}
