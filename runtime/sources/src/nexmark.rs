//! The streams of the Nexmark auction benchmark (<https://github.com/nexmark/nexmark>).

#[cfg(not(feature = "nexmark"))]
mod absent;
#[cfg(feature = "nexmark")]
mod generate;

use weir_batch::{BatchError, DataType, Field, Schema};

#[cfg(not(feature = "nexmark"))]
pub use self::absent::NexmarkSource;
#[cfg(feature = "nexmark")]
pub use self::generate::NexmarkSource;

/// Whether this program can generate these streams: the feature `nexmark`.
pub const HAS_NEXMARK: bool = cfg!(feature = "nexmark");

/// A stream of the Nexmark auction benchmark (<https://datalab.cs.pdx.edu/niagara/NEXMark/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NexmarkStream {
    /// People who registered.
    Person,
    /// Auctions that were opened.
    Auction,
    /// Bids on auctions.
    Bid,
}

impl NexmarkStream {
    /// The name in query files.
    pub const fn name(self) -> &'static str {
        match self {
            NexmarkStream::Person => "person",
            NexmarkStream::Auction => "auction",
            NexmarkStream::Bid => "bid",
        }
    }
}

/// The fields of a Nexmark stream, with the benchmark's names.
///
/// # Errors
///
/// None in practice: the names are fixed and valid.
pub fn nexmark_schema(stream: NexmarkStream) -> Result<Schema, BatchError> {
    let i64s = |names: &[&'static str]| names.iter().map(|&name| Field::new(name, DataType::I64)).collect::<Vec<_>>();
    let texts = |names: &[&'static str]| names.iter().map(|&name| Field::new(name, DataType::Utf8)).collect::<Vec<_>>();
    let time = |name: &'static str| Field::new(name, DataType::Timestamp);
    let mut fields = Vec::new();
    match stream {
        NexmarkStream::Bid => {
            fields.extend(i64s(&["auction", "bidder", "price"]));
            fields.extend(texts(&["channel", "url"]));
            fields.push(time("date_time"));
        }
        NexmarkStream::Auction => {
            fields.extend(i64s(&["id"]));
            fields.extend(texts(&["item_name", "description"]));
            fields.extend(i64s(&["initial_bid", "reserve"]));
            fields.extend([time("date_time"), time("expires")]);
            fields.extend(i64s(&["seller", "category"]));
        }
        NexmarkStream::Person => {
            fields.extend(i64s(&["id"]));
            fields.extend(texts(&["name", "email_address", "credit_card", "city", "state"]));
            fields.push(time("date_time"));
        }
    }
    fields.extend(texts(&["extra"]));
    Schema::new(fields)
}
