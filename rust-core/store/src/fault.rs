//! Failures inside a transaction, which does not know the path of its database.

use whimbrel_record::RecordError;

use crate::StoreError;
use crate::sealed::SealError;

/// See the module.
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Fault {
        Fault::Store(error.into())
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Fault {
        Fault::Store(error.into())
    }
}
