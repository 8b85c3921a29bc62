"""What KServe's own storage initializer image does with its arguments: pairs of source and place (kserve/kserve python/storage-initializer)."""

import sys

from kserve_storage import Storage

Storage.download_files(sys.argv[1::2], sys.argv[2::2])
