import Mneme
import MnemeBase

extension AgentScenario {
    /// The scenario that runs where no data is named.
    ///
    /// - Throws: `InputError`, which its test rules out.
    public static func ownSample() throws -> AgentScenario {
        try AgentScenario(JSONValue(parsing: Array(sample.utf8)), 0)
    }

    /// A small shop of our own writing with a fault in how it rounds, as a scenario of the published form.
    public static let sample = #"""
        {"id": "python_shop_easy_001_bug_investigation_easy_01", "title": "Vouchers leave a cent",
         "description": "Orders with a voucher are sometimes a cent too dear: the discount of each item is rounded before the items are added up. Find where amounts are rounded, and round the total alone.",
         "task_category": "bug_investigation", "difficulty": "easy",
         "context_files": ["shop/pricing.py", "shop/order.py"],
         "task_prompt": "Find the cause of the wrong totals of orders with vouchers and mend it.",
         "ground_truth": "discounted in shop/pricing.py rounds each item; total in shop/order.py adds the rounded amounts up. Round in total alone; tests/test_order.py lacks a case of three items.",
         "project_files": [
          {"path": "README.md", "content": "# Shop\n\nA small shop: items, vouchers, orders, and a warehouse that ships them.\n"},
          {"path": "shop/__init__.py", "content": ""},
          {"path": "shop/pricing.py", "content": "\"\"\"Prices of items and what vouchers take off.\"\"\"\nfrom decimal import Decimal, ROUND_HALF_UP\n\nCENT = Decimal(\"0.01\")\n\n\ndef rounded(amount):\n    return amount.quantize(CENT, rounding=ROUND_HALF_UP)\n\n\ndef discounted(price, voucher):\n    \"\"\"The price of an item less its share of a voucher's discount.\"\"\"\n    if voucher is None:\n        return price\n    return rounded(price * (1 - voucher.share))\n"},
          {"path": "shop/order.py", "content": "\"\"\"Orders: items, a voucher, and their total.\"\"\"\nfrom shop.pricing import discounted\n\n\nclass Order:\n    def __init__(self, items, voucher=None):\n        self.items = items\n        self.voucher = voucher\n\n    def total(self):\n        return sum(discounted(item.price, self.voucher) for item in self.items)\n"},
          {"path": "shop/voucher.py", "content": "\"\"\"Vouchers that take a share off an order.\"\"\"\nfrom dataclasses import dataclass\nfrom decimal import Decimal\n\n\n@dataclass\nclass Voucher:\n    code: str\n    share: Decimal\n\n    def is_valid(self, today):\n        return self.code.endswith(str(today.year))\n"},
          {"path": "shop/warehouse.py", "content": "\"\"\"Where parcels are packed.\"\"\"\n\n\ndef pack(order, boxes):\n    for box in sorted(boxes, key=lambda box: box.volume):\n        if box.volume >= sum(item.volume for item in order.items):\n            return box\n    return None\n"},
          {"path": "shop/mail.py", "content": "\"\"\"Letters to customers.\"\"\"\n\n\ndef thanks(name):\n    return f\"Dear {name}, thank you for shopping with us.\"\n"},
          {"path": "shop/accounts.py", "content": "\"\"\"Customers and how they sign in.\"\"\"\nimport hashlib\n\n\ndef fingerprint(password, salt):\n    return hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1)\n"},
          {"path": "tests/test_order.py", "content": "from decimal import Decimal\nfrom types import SimpleNamespace\n\nfrom shop.order import Order\n\n\ndef test_total_of_one_item():\n    assert Order([SimpleNamespace(price=Decimal(\"9.99\"))]).total() == Decimal(\"9.99\")\n"}]}
        """#
}
