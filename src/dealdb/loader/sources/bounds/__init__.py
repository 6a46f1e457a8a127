"""What files of other programs' formats would take, found out before a library reads them."""
