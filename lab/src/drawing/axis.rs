//! A time axis for what lasts microseconds beside what lasts milliseconds: every piece as wide as
//! its words need, longer ones a little wider, in as few bands below one another as it takes.

/// So much room from one moment to another.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// `None`: from the left end of the band.
    pub from: Option<u64>,
    pub to: u64,
    pub width: f64,
}

/// A part of the axis that fits into the width of the picture.
#[derive(Debug)]
pub struct Band {
    moments: Vec<u64>,
    x: Vec<f64>,
}

impl Band {
    pub fn from(&self) -> u64 {
        self.moments[0]
    }

    pub fn to(&self) -> u64 {
        self.moments[self.moments.len() - 1]
    }

    /// Where a moment of this band is, from its left end.
    pub fn x(&self, moment: u64) -> Option<i32> {
        let index = self.moments.binary_search(&moment).ok()?;
        // Rounded to whole pixels.
        Some(self.x[index].round() as i32)
    }

    /// The part of a stretch of time that this band shows.
    pub fn span(&self, from: u64, to: u64) -> Option<[i32; 2]> {
        let (from, to) = (from.max(self.from()), to.min(self.to()));
        if from < to { Some([self.x(from)?, self.x(to)?]) } else { None }
    }

    fn width(&self) -> f64 {
        self.x[self.x.len() - 1]
    }
}

/// The axis in bands of at most `room`. Of the lists in `cuts`, it is cut at moments of the one
/// that makes the fewest bands, rather the first; the last list is for when no other will do. All
/// lists are sorted; the first moment and the last are the ends of the axis.
pub fn bands(moments: &[u64], needs: &[Need], cuts: &[Vec<u64>], room: f64) -> Vec<Band> {
    let fits =
        |cuts: &&Vec<u64>| cut(moments, needs, cuts, room).iter().all(|band| band.width() <= room);
    let count = |cuts: &&Vec<u64>| cut(moments, needs, cuts, room).len();
    let good = cuts.iter().take(cuts.len().saturating_sub(1));
    let best = good.filter(fits).min_by_key(count).or(cuts.last());
    let cuts = best.map_or(&[][..], Vec::as_slice);
    let few = cut(moments, needs, cuts, room).len();
    // Bands of about the same length look better than a full one and a rest.
    let mut limit = room;
    while cut(moments, needs, cuts, limit - 10.0).len() == few && limit > 100.0 {
        limit -= 10.0;
    }
    let mut bands = cut(moments, needs, cuts, limit);
    for band in &mut bands {
        let stretch = room / band.width();
        band.x.iter_mut().for_each(|x| *x *= stretch);
    }
    bands
}

/// As much as goes into the first band, then into the second …
fn cut(moments: &[u64], needs: &[Need], cuts: &[u64], limit: f64) -> Vec<Band> {
    let mut bands = Vec::new();
    let mut rest = moments;
    while let [first, .., last] = rest {
        let ends = cuts.iter().filter(|cut| first < *cut && *cut < last).chain([last]);
        let mut chosen: Option<Band> = None;
        for end in ends {
            let count = rest.partition_point(|moment| moment <= end);
            let band = Band { moments: rest[..count].to_vec(), x: place(&rest[..count], needs) };
            if chosen.is_some() && band.width() > limit {
                break;
            }
            chosen = Some(band);
        }
        let Some(band) = chosen else { break };
        rest = &rest[band.moments.len() - 1..];
        bands.push(band);
    }
    bands
}

/// Each moment as far to the left as the needs before it allow. What begins in an earlier band
/// needs no room here; words that begin here have to end here.
fn place(moments: &[u64], needs: &[Need]) -> Vec<f64> {
    let end = moments[moments.len() - 1];
    let index = |moment: u64| moments.binary_search(&moment).ok();
    let needs: Vec<_> = needs
        .iter()
        .filter_map(|need| {
            Some((need.from.map_or(Some(0), index)?, index(need.to.min(end))?, need.width))
        })
        .filter(|(from, to, _)| from < to)
        .collect();
    let mut x = vec![0.0];
    for (at, pair) in (1..).zip(moments.windows(2)) {
        let natural = x[at - 1] + 2.5 * ((1 + pair[1] - pair[0]) as f64).log2();
        let needed = needs.iter().filter(|(_, to, _)| *to == at);
        x.push(needed.map(|(from, _, width)| x[*from] + width).fold(natural, f64::max));
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_room_has_it_and_longer_is_wider() {
        let moments = [0, 10, 1000, 1010, 9000];
        let need = Need { from: Some(10), to: 1010, width: 200.0 };
        let x = place(&moments, &[need]);
        assert!(x[3] - x[1] >= 200.0, "{x:?}");
        assert!(x[4] - x[3] > x[1] - x[0], "8 ms are wider than 10 µs: {x:?}");
    }

    #[test]
    fn bands_are_cut_where_they_may_be_and_show_everything_once() {
        let moments: Vec<u64> = (0..=40).map(|index| index * 100).collect();
        let cuts: Vec<u64> = moments.iter().copied().filter(|moment| moment % 500 == 0).collect();
        let bands = bands(&moments, &[], std::slice::from_ref(&cuts), 300.0);
        assert!(bands.len() > 1);
        assert_eq!((bands[0].from(), bands[bands.len() - 1].to()), (0, 4000));
        for pair in bands.windows(2) {
            assert_eq!(pair[0].to(), pair[1].from());
            assert!(cuts.contains(&pair[0].to()));
        }
        for band in &bands {
            assert_eq!(band.x(band.to()), Some(300));
            assert_eq!(band.span(band.from(), band.to()), Some([0, 300]));
        }
    }
}
