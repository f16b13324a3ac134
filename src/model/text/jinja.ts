import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { capitalized, inPython, isEqual, isTrue, strip, strftime, textOf } from "./python.js";

/** What a template is rendered with, by name. */
export type Variables = Readonly<Record<string, unknown>>;

/** A value of a template. */
export type Value = ReturnType<Interpreter["evaluate"]>;

/** A node of a parsed template. */
interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

type Evaluate = (node: Node, scope: Environment) => Value;
/** How a kind of node is evaluated; undefined leaves it to the library, which is `usual`. */
type Rule = (node: Node, scope: Environment, evaluate: Evaluate, usual: Evaluate) => Value | undefined;

/**
 * Compiles a template of Jinja, the language of Python, as Transformers sets it up for chats: `tojson` escapes no HTML, and
 * there are `raise_exception` and `strftime_now`. A library renders it; where Python does otherwise, the rules below do so
 * too. Throws Error for what is no template; the function that is returned throws what the template raises.
 */
export function compileTemplate(text: string): (variables: Variables) => string {
  const program = marked(parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true })) as unknown as Node);
  return (variables) => {
    const scope = new Environment();
    for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) scope.set(name, value);
    const interpreter = new Interpreter(scope);
    const usual: Evaluate = interpreter.evaluate.bind(interpreter);
    const evaluate: Evaluate = (node, inner) => {
      const rule = node && Object.hasOwn(RULES, node.type) ? RULES[node.type] : undefined;
      return rule?.(node, inner, evaluate, usual) ?? usual(node, inner);
    };
    interpreter.evaluate = evaluate;
    return String(evaluate(program, scope).value);
  };
}

const LONGEST_RANGE = 100_000; // that of Jinja's sandbox

const GLOBALS: Variables = {
  ...{ true: true, false: false, none: null, True: true, False: false, None: null },
  range(...given: number[]) {
    const [from, to, by = 1] = given.length > 1 ? given : [0, given[0]];
    const length = Math.max(0, Math.ceil((to - from) / by));
    if (!(length <= LONGEST_RANGE)) throw new Error(`range() must have at most ${LONGEST_RANGE} numbers`);
    return Array.from({ length }, (_, i) => from + i * by);
  },
  raise_exception(message: unknown) {
    throw new Error(String(message));
  },
  strftime_now: (format: string) => strftime(new Date(), format),
};

const STATEMENTS = /^(Set|If|For|Macro|CallStatement|FilterStatement|Break|Continue|Comment)$/;

/** The same node with other fields; the library asks for its class. */
const changed = (node: Node, fields: Readonly<Record<string, unknown>>): Node =>
  Object.assign(Object.create(Object.getPrototypeOf(node) as object) as Node, node, fields);

/** A template whose outputs are marked as such, and the bodies and lists of its loops. */
function marked(node: Node): Node {
  const bodyOf = (name: string): readonly Node[] =>
    (node[name] as readonly Node[]).map((one) =>
      STATEMENTS.test(one.type) ? marked(one) : changed(one, { type: "Output", output: one }),
    );
  const bodies = ["body", "alternate", "defaultBlock"].filter((name) => Array.isArray(node[name]));
  const fields = Object.fromEntries(bodies.map((name) => [name, bodyOf(name)]));
  if (node.type !== "For") return changed(node, fields);
  const { type, lhs } = node.iterable as Node;
  const listed = (list: unknown): Node => ({ type: "List", list });
  const iterable =
    type === "SelectExpression" ? changed(node.iterable as Node, { lhs: listed(lhs) }) : listed(node.iterable);
  return changed(node, { ...fields, iterable, body: [{ type: "Scope", body: fields.body }] });
}

const valueOf = (value: unknown): Value => new Environment().set("value", value);

const constant = (value: Value): Node => ({ type: "Constant", value });

/** The name of a variable or of a field, as a template spells it. */
const nameOf = ({ value, property }: Node): string => String(value ?? (property as Node | undefined)?.value ?? "this");

/** What a loop goes through: a text is a list of its letters, and what is undefined an empty one. Throws Error. */
function itemsOf(value: Value): readonly Value[] {
  if (value.type === "UndefinedValue") return [];
  if (value.type === "StringValue") return Array.from(String(value.value), valueOf);
  if (Array.isArray(value.value)) return value.value;
  throw new Error(`can only go through a list, got ${inPython(value)}`);
}

const listOf = (values: readonly Value[]): Value => Object.assign(valueOf([]), { value: values });

const dictionaryOf = (fields: readonly Node[], scope: Environment, evaluate: Evaluate): Value => {
  const named = fields.map(({ key, value }) => [nameOf(key as Node), evaluate(value as Node, scope)] as const);
  return Object.assign(valueOf({}), { value: new Map(named) });
};

const FILTERS = /^(string|trim|upper|lower|title|capitalize|replace|tojson|(select|reject)attr)$/;
const METHODS = /^([lr]?strip|get|items|keys|values)$/;

const valuesOf = (args: readonly Node[], scope: Environment, evaluate: Evaluate): readonly Value[] =>
  args.map((argument) => evaluate(argument, scope));

/** The items of a list whose attribute passes a test, or does not: by default whether it counts as true. */
function selected(
  list: Value,
  name: string,
  [attribute, test, ...others]: readonly Value[],
  scope: Environment,
): Value {
  const holds = test ? scope.tests.get(String(test.value)) : isTrue;
  if (!holds) throw new Error(`there is no test ${inPython(test)}`);
  const valueIn = ({ value }: Value): Value =>
    (value as Partial<ReadonlyMap<string, Value>>).get?.(String(attribute.value)) ?? valueOf(undefined);
  const wanted = name === "selectattr";
  return listOf(itemsOf(list).filter((one) => holds(valueIn(one), ...others) === wanted));
}

// Where Python differs from the library.
const RULES: Readonly<Record<string, Rule>> = {
  /** What is shown is written as Python writes it: None, True, {'a': 1}. */
  Output: ({ output }, scope, evaluate) => valueOf(textOf(evaluate(output as Node, scope))),

  /** What one turn of a loop sets is gone in the next. */
  Scope: ({ body }, scope, _, usual) => usual({ type: "Program", body }, new Environment(scope)),

  Constant: ({ value }) => value as Value,

  List({ list }, scope, evaluate) {
    const value = evaluate(list as Node, scope);
    return value.type === "ObjectValue" ? value : listOf(itemsOf(value));
  },

  /** What is undefined has no fields, and no key but a text is in a dictionary. */
  MemberExpression(node, scope, evaluate, usual) {
    const [object, property] = [evaluate(node.object as Node, scope), node.property as Node];
    if (object.type === "UndefinedValue") throw new Error(`${nameOf(node.object as Node)} is undefined`);
    const fields = { object: constant(object) };
    if (!node.computed || property.type === "SliceExpression") return usual(changed(node, fields), scope);
    const key = evaluate(property, scope);
    if (object.type === "ObjectValue" && key.type !== "StringValue") return valueOf(undefined);
    return usual(changed(node, { ...fields, property: constant(key) }), scope);
  },

  /** Values of different types are not equal, and texts are added to texts alone. */
  BinaryExpression({ operator, left, right }, scope, evaluate) {
    const sign = (operator as { readonly value: string }).value;
    if (!["==", "!=", "~", "+"].includes(sign)) return undefined;
    const [a, b] = [evaluate(left as Node, scope), evaluate(right as Node, scope)];
    if (sign === "~") return valueOf(textOf(a) + textOf(b));
    if (sign !== "+") return valueOf(isEqual(a, b) === (sign === "=="));
    const texts = [a, b].filter(({ type }) => type === "StringValue");
    if (texts.length === 2) return valueOf(`${String(a.value)}${String(b.value)}`);
    if (texts.length === 1) throw new Error(`can only add text to text, got ${inPython(a)} and ${inPython(b)}`);
    return undefined;
  },

  /** Letters may be stripped, and methods of dictionaries come before keys, such as the `items` of a JSON schema. */
  CallExpression({ callee, args }, scope, evaluate) {
    const { type, object, property, computed, value } = callee as Node;
    if (type === "Identifier" && value === "dict") return dictionaryOf(args as readonly Node[], scope, evaluate);
    const name = String((property as Node | undefined)?.value);
    if (type !== "MemberExpression" || computed || !METHODS.test(name)) return undefined;
    const own = evaluate(object as Node, scope);
    const given = valuesOf(args as readonly Node[], scope, evaluate);
    if (own.type === "StringValue") return valueOf(strip(String(own.value), name, given[0]?.value as string));
    const method = own.type === "ObjectValue" ? own.builtins.get(name) : undefined;
    return method && (method.value as (given: readonly Value[], scope: Environment) => Value)(given, scope);
  },

  /** Filters of texts write other values as Python does first; what is absent can be tested, and has no JSON. */
  FilterExpression({ operand, filter }, scope, evaluate, usual) {
    const { value, callee, args = [] } = filter as Node;
    const name = String(value ?? (callee as Node).value);
    if (!FILTERS.test(name)) return undefined;
    const own = evaluate(operand as Node, scope);
    if (name.endsWith("attr")) return selected(own, name, valuesOf(args as readonly Node[], scope, evaluate), scope);
    if (name === "string") return valueOf(textOf(own));
    if (name === "trim") {
      const [letters] = valuesOf(args as readonly Node[], scope, evaluate);
      return valueOf(strip(textOf(own), "strip", letters?.value as string));
    }
    if (name === "capitalize") return valueOf(capitalized(textOf(own)));
    if (name === "tojson" && own.type === "UndefinedValue") throw new Error(`${nameOf(operand as Node)} is undefined`);
    const text = name === "tojson" ? own : valueOf(textOf(own));
    return usual({ type: "FilterExpression", operand: constant(text), filter }, scope);
  },

  /** A dictionary is iterable, and so is what is undefined. */
  TestExpression({ operand, test, negate }, scope, evaluate) {
    if ((test as Node).value !== "iterable") return undefined;
    const { type } = evaluate(operand as Node, scope);
    return valueOf(/^(Array|Tuple|String|Object|Undefined)Value$/.test(type) !== negate);
  },
};
