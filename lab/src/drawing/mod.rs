//! What every figure is drawn with: a canvas of SVG, an axis of time, and the words in both
//! languages.

pub mod axis;
pub mod canvas;
pub mod labels;
