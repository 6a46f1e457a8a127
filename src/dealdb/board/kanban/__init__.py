"""
What the kanban page shows: its options, the figures of its columns, and the cards in them.

The order of the parts; nothing imports from a part behind it:
options → stage_figures, cards, first_rows → making → board_view;
stage_figures → changed_deals, moved_figures; all of these → running_board.
"""
