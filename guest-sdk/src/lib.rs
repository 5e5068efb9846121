//! Write functions over streams of records, to be run by Weir
