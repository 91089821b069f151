"""HTTP in, HTTP out: routes translate, and leave the work to the rooms beside them."""
