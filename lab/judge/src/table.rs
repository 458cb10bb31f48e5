//! Tables for a terminal: as wide as it is, and readable in a file.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent, presets,
};
use std::io::{self, Write};

/// How wide a table is where there is no terminal.
const WIDTH: u16 = 120;

/// How wide the terminal is.
pub fn columns() -> usize {
    let columns = console::Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns);
    usize::from(columns)
}

/// An empty table with these headings.
pub fn table(headings: impl AsRef<[&'static str]>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    // Cells are wrapped by us: the table would cut a figure in two.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings.as_ref());
    table
}

/// The columns from `first` on hold figures, to be compared from row to row: a line each, close
/// together. Where the terminal is too narrow for all, those named last go first.
pub fn figures_from(table: &mut Table, first: usize, dispensable: &[usize]) {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.remove_style(TableComponent::HorizontalLines);
    table.remove_style(TableComponent::MiddleIntersections);
    for column in dispensable.iter().rev() {
        let width = table.lines().map(|line| console::measure_text_width(&line)).max();
        if width.is_none_or(|width| width <= columns()) {
            return;
        }
        if let Some(column) = table.column_mut(*column) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
}

/// Written and flushed at once: the next line may be seconds away.
///
/// # Errors
///
/// Whoever read it has gone (`| head`): the work may end.
pub fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
