module.exports = () => 'hello';
module.exports.several = (output, context) => ['x', 'ell'];
