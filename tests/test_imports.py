"""Rules about imports that have no contract of their own in .importlinter."""

import grimp


def test_no_module_imports_names_from_the_init_of_its_own_package() -> None:
    graph = grimp.build_graph("aitrader")

    own = [
        f"{module} -> {imported}"
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if module.startswith(f"{imported}.")
    ]

    assert own == []
